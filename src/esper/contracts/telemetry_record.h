#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "esper/contracts/contract_error.h"
#include "esper/contracts/enums.h"

namespace esper::contracts {

#define ESPER_TELEMETRY_KINDS(X)     \
    X(kSeedHealth, 1, "seed_health") \
    X(kKernelRun, 2, "kernel_run")   \
    X(kTransition, 3, "transition")  \
    X(kRecovery, 4, "recovery")
ESPER_CONTRACT_ENUM(TelemetryKind, ESPER_TELEMETRY_KINDS)

/// The value of a figure that was not measured (NaN, never zero).
inline constexpr float kUnmeasured = std::numeric_limits<float>::quiet_NaN();

/// The training thread's report on one seed. The struct is the wire format: 128 bytes,
/// little-endian, the last four the CRC-32C of the rest. Ids are stored as 64-bit hashes
/// (stable_hash64). The layout of a released version never changes.
struct TelemetryRecord {
    std::uint16_t magic = 0x5445;
    std::uint8_t version = 1;
    TelemetryKind kind = TelemetryKind::kSeedHealth;
    std::uint32_t epoch = 0;
    std::uint64_t sequence = 0;  ///< counts up per sender; a gap means records were dropped
    std::int64_t utc_ns = 0;
    std::uint64_t step = 0;
    std::uint64_t run_hash = 0;
    std::uint64_t layer_hash = 0;
    std::uint64_t kernel_hash = 0;  ///< 0: no kernel
    std::uint32_t layer_index = 0;
    std::uint32_t seed = 0;
    std::uint32_t chunk = 0;
    std::uint32_t error_count = 0;
    SeedState state = SeedState::kDormant;
    GraftingStrategy strategy = GraftingStrategy::kSmoothstep;
    std::uint16_t flags = 0;
    float alpha = 0;  ///< 0 to 1
    float activation_variance = kUnmeasured;
    float dead_neuron_ratio = kUnmeasured;  ///< 0 to 1
    float avg_correlation = kUnmeasured;    ///< -1 to 1
    float gradient_norm = kUnmeasured;
    float health_score = kUnmeasured;  ///< 0 to 1
    float latency_us = kUnmeasured;
    float loss = kUnmeasured;
    float gain = kUnmeasured;
    std::uint32_t active_seeds = 0;
    std::uint32_t total_seeds = 0;
    std::uint32_t reserved = 0;
    std::uint32_t crc = 0;  ///< written by encode()

    static constexpr std::uint16_t kReadyForTransition = 1;
    static constexpr std::uint16_t kFallbackActive = 2;
};

inline constexpr std::size_t kTelemetryBytes = 128;
static_assert(sizeof(TelemetryRecord) == kTelemetryBytes);
static_assert(offsetof(TelemetryRecord, layer_index) == 56);
static_assert(offsetof(TelemetryRecord, alpha) == 76);
static_assert(offsetof(TelemetryRecord, active_seeds) == 112);
static_assert(offsetof(TelemetryRecord, crc) == 124);

using TelemetryBytes = std::span<std::byte, kTelemetryBytes>;

/// Writes the record with its checksum. Does not allocate and does not branch on the content.
void encode(const TelemetryRecord& record, TelemetryBytes out);

/// Errors: kTruncated, kTrailingBytes, kSyntax (magic), kChecksumMismatch, kUnknownVersion,
/// kUnknownValue (an enum), kOutOfRange (a figure).
Result<TelemetryRecord> decode_telemetry(std::span<const std::byte> bytes);

}  // namespace esper::contracts
