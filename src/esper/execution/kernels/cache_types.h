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

/// A kernel in the cache, ready for use. Removed kernels are destroyed after their last unpin.
class CachedKernel {
  public:
    virtual ~CachedKernel() = default;
    /// Bytes that the kernel counts for in the cache's budget.
    virtual std::uint64_t charge() const = 0;
};

/// The source of kernels. Fetching and loading are two steps, so that the cache can keep fetched
/// bytes on disk. The cache holds no lock while it calls them, and calls them from several threads
/// at once, but for one id only from one thread at a time.
class KernelSource {
  public:
    virtual ~KernelSource() = default;
    /// Fetches the artifact's bytes, e.g. from the library or the network.
    virtual Result<std::string> fetch(std::uint64_t id) = 0;
    /// Verifies the bytes and turns them into a kernel. The bytes are not to be trusted.
    virtual Result<std::unique_ptr<CachedKernel>> load(std::uint64_t id, std::string bytes) = 0;
};

/// Why a requested kernel was not in memory.
enum class MissCause : std::uint8_t {
    kCold,        ///< never seen here
    kCapacity,    ///< evicted to make room
    kRemoved,     ///< removed by its owner
    kTooLarge,    ///< not kept: larger than the budget, or all other kernels are in use
    kBackingOff,  ///< loading failed recently
    kBanned,      ///< permanently evicted after a fault
};
inline constexpr std::size_t kMissCauses = 6;
constexpr std::string_view to_text(MissCause cause) {
    constexpr std::array<std::string_view, kMissCauses> kNames = {
        "cold", "capacity", "removed", "too_large", "backing_off", "banned"};
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
    std::uint64_t prefetch_useful = 0;  ///< prefetched and then requested
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
