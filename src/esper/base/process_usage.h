#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "esper/base/error.h"

namespace esper {

#define ESPER_USAGE_ERRORS(X) X(kUnreadable, kRuntime)
ESPER_DEFINE_ERRORS(UsageError, "usage", ESPER_USAGE_ERRORS)

/// What this process holds of the machine at one moment.
struct ProcessUsage {
    std::uint64_t resident_bytes = 0;
    std::uint64_t descriptors = 0;  ///< open file descriptors
    std::uint64_t threads = 0;
};

/// Read from Linux's folder about this process. kUnreadable where there is none.
Result<ProcessUsage> process_usage(const std::filesystem::path& proc = "/proc/self");

/// Usage over the course of some work, and whether it stays flat. The first third is warm-up
/// (arenas, caches, ghost lists fill); a straight line is laid through the rest.
class UsageTrend {
  public:
    /// `done`: how much work lies behind, growing.
    void add(double done, const ProcessUsage& usage) { samples_.push_back({done, usage}); }

    /// Bytes of resident memory per unit of work (least squares); 0 with too few samples.
    double bytes_per_unit() const;
    /// That line's rise over the part that was looked at.
    double growth_bytes() const;
    /// How many more descriptors, or threads, there are at the end than after the warm-up.
    std::int64_t descriptor_growth() const;
    std::int64_t thread_growth() const;
    bool is_flat(double allowed_bytes) const {
        return growth_bytes() <= allowed_bytes && descriptor_growth() <= 0 && thread_growth() <= 0;
    }

  private:
    struct Sample {
        double done;
        ProcessUsage usage;
    };
    std::size_t first() const { return samples_.size() / 3; }
    std::vector<Sample> samples_;
};

}  // namespace esper
