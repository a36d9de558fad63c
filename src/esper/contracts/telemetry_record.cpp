#include "esper/contracts/telemetry_record.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "esper/base/hash.h"

namespace esper::contracts {

static_assert(std::endian::native == std::endian::little);

namespace {

constexpr std::size_t kCovered = offsetof(TelemetryRecord, crc);

bool is_within(float value, float low, float high) {
    return std::isnan(value) || (value >= low && value <= high);
}

Status check_figures(const TelemetryRecord& r) {
    constexpr float kMax = std::numeric_limits<float>::max();
    const struct {
        const char* name;
        float value;
        float low;
        float high;
    } figures[] = {{"activation_variance", r.activation_variance, 0, kMax},
                   {"dead_neuron_ratio", r.dead_neuron_ratio, 0, 1},
                   {"avg_correlation", r.avg_correlation, -1, 1},
                   {"gradient_norm", r.gradient_norm, 0, kMax},
                   {"health_score", r.health_score, 0, 1},
                   {"latency_us", r.latency_us, 0, kMax},
                   {"loss", r.loss, -kMax, kMax},
                   {"gain", r.gain, -kMax, kMax}};
    for (const auto& f : figures) {
        if (!is_within(f.value, f.low, f.high)) {
            return fail(ContractError::kOutOfRange,
                        fmt::format("telemetry record: expected {} from {} to {}, got {}", f.name,
                                    f.low, f.high, f.value));
        }
    }
    if (!(r.alpha >= 0 && r.alpha <= 1)) {
        return fail(ContractError::kOutOfRange,
                    fmt::format("telemetry record: expected alpha from 0 to 1, got {}", r.alpha));
    }
    return {};
}

}  // namespace

void encode(const TelemetryRecord& record, TelemetryBytes out) {
    std::memcpy(out.data(), &record, kCovered);
    const std::uint32_t crc = crc32c(out.first<kCovered>());
    std::memcpy(out.data() + kCovered, &crc, sizeof crc);
}

Result<TelemetryRecord> decode_telemetry(std::span<const std::byte> bytes) {
    if (bytes.size() != kTelemetryBytes) {
        return fail(bytes.size() < kTelemetryBytes ? ContractError::kTruncated
                                                   : ContractError::kTrailingBytes,
                    fmt::format("telemetry record: expected {} bytes, got {}", kTelemetryBytes,
                                bytes.size()));
    }
    TelemetryRecord r;
    std::memcpy(&r, bytes.data(), sizeof r);
    if (r.magic != TelemetryRecord{}.magic) {
        return fail(ContractError::kSyntax,
                    fmt::format("telemetry record: expected magic {:04x}, got {:04x}",
                                TelemetryRecord{}.magic, r.magic));
    }
    if (const std::uint32_t crc = crc32c(bytes.first(kCovered)); crc != r.crc) {
        return fail(
            ContractError::kChecksumMismatch,
            fmt::format("telemetry record: expected CRC-32C {:08x}, got {:08x}", r.crc, crc));
    }
    if (r.version != TelemetryRecord{}.version) {
        return fail(ContractError::kUnknownVersion,
                    fmt::format("telemetry record: expected version 1, got {}", r.version));
    }
    if (!from_number<TelemetryKind>(static_cast<std::uint8_t>(r.kind)) ||
        !from_number<SeedState>(static_cast<std::uint8_t>(r.state)) ||
        !from_number<GraftingStrategy>(static_cast<std::uint8_t>(r.strategy))) {
        return fail(ContractError::kUnknownValue,
                    "telemetry record: kind, state or strategy is no value of its enum");
    }
    ESPER_CHECK_STATUS(check_figures(r));
    return r;
}

}  // namespace esper::contracts
