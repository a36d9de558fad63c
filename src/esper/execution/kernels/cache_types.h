#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "esper/base/error.h"

namespace esper::execution {

#define ESPER_CACHE_ERRORS(X)       \
    X(kBackingOff, kRuntime)        \
    X(kBanned, kVerification)       \
    X(kBadDiskEntry, kVerification) \
    X(kDiskUnavailable, kRuntime)   \
    X(kSourceThrew, kRuntime) X(kBadOptions, kUsage)
ESPER_DEFINE_ERRORS(CacheError, "cache", ESPER_CACHE_ERRORS)

/// What the cache holds: a kernel in the form in which it is used. Destroyed when nobody pins it.
class CachedKernel {
  public:
    virtual ~CachedKernel() = default;
    /// Bytes it counts for.
    virtual std::uint64_t charge() const = 0;
};

/// Where kernels come from, in two steps so that the disk tier can stand between them. Both are
/// called without any lock held, from several threads at once (never twice at once for one id).
class KernelSource {
  public:
    virtual ~KernelSource() = default;
    /// The artifact's bytes, from the library or the network.
    virtual Result<std::string> fetch(std::uint64_t id) = 0;
    /// The bytes made usable: verified, mapped, … Never trusts the bytes.
    virtual Result<std::unique_ptr<CachedKernel>> load(std::uint64_t id, std::string bytes) = 0;
};

/// Why a kernel that was asked for was not in memory.
enum class MissCause : std::uint8_t {
    kCold,        ///< never seen here
    kCapacity,    ///< evicted to make room
    kPressure,    ///< evicted because the machine ran short of memory
    kRemoved,     ///< removed by its owner
    kTooLarge,    ///< larger than the whole budget, or everything else is in use: never kept
    kBackingOff,  ///< loading failed lately
    kBanned,      ///< permanently evicted after a fault
};
inline constexpr std::size_t kMissCauses = 7;
constexpr std::string_view to_text(MissCause cause) {
    constexpr std::array<std::string_view, kMissCauses> kNames = {
        "cold", "capacity", "pressure", "removed", "too_large", "backing_off", "banned"};
    return kNames[static_cast<std::size_t>(cause)];
}

struct CacheStats {
    std::uint64_t hits = 0;
    std::array<std::uint64_t, kMissCauses> misses{};
    std::uint64_t joined = 0;        ///< misses that waited for a load already under way
    std::uint64_t disk_hits = 0;     ///< misses served by the disk tier
    std::uint64_t disk_corrupt = 0;  ///< damaged files found (and removed)
    std::uint64_t fetched = 0;       ///< misses served by the source
    std::uint64_t load_failures = 0;
    std::uint64_t evictions = 0;
    std::uint64_t prefetched = 0;
    std::uint64_t prefetch_useful = 0;  ///< prefetched and then asked for
    std::uint64_t bytes = 0, entries = 0, byte_budget = 0;

    std::uint64_t total_misses() const {
        std::uint64_t n = 0;
        for (std::uint64_t m : misses) n += m;
        return n;
    }
    double hit_rate() const {
        const auto all = static_cast<double>(hits + total_misses());
        return all > 0 ? static_cast<double>(hits) / all : 0;
    }
};

}  // namespace esper::execution
