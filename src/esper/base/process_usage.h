#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "esper/base/error.h"

namespace esper {

#define ESPER_USAGE_ERRORS(X) X(kUnreadable, kRuntime)
ESPER_DEFINE_ERRORS(UsageError, "usage", ESPER_USAGE_ERRORS)

/// Memory, file descriptors and threads of this process at one moment.
struct ProcessUsage {
    std::uint64_t resident_bytes = 0;
    std::uint64_t descriptors = 0;  ///< open file descriptors
    std::uint64_t threads = 0;
};

/// Reads the usage from /proc/self. Error: kUnreadable, e.g. where there is no /proc.
Result<ProcessUsage> process_usage(const std::filesystem::path& proc = "/proc/self");

/// The most memory that this process has had at once so far, bytes (VmHWM, which an exec resets;
/// getrusage's figure it does not). Error: kUnreadable.
Result<std::uint64_t> peak_resident_bytes(const std::filesystem::path& proc = "/proc/self");

/// Tells whether usage stays flat while work proceeds. The first third of the samples is warm-up
/// (arenas and caches fill); a straight line is fitted to the rest.
class UsageTrend {
  public:
    /// `done`: the work done so far, in any unit; it must not decrease.
    void add(double done, const ProcessUsage& usage) { samples_.push_back({done, usage}); }

    /// Slope of the line: bytes of resident memory per unit of work; 0 with too few samples.
    double bytes_per_unit() const;
    /// The rise of the line from the end of the warm-up to the last sample, in bytes.
    double growth_bytes() const;
    /// Descriptors (or threads) at the end minus those at the end of the warm-up.
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
