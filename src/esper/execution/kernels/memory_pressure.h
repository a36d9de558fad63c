#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace esper::execution {

/// Levels of memory shortage, with the reaction to each.
enum class MemoryPressure : std::uint8_t {
    kNone,
    kShrinkCache,       ///< the kernel cache keeps half of its budget
    kDegradeTelemetry,  ///< the cache keeps a quarter; telemetry gets coarser and rarer
    kEagerFallback,     ///< the cache keeps only kernels in use; new kernels run interpreted
};
constexpr std::string_view to_text(MemoryPressure p) {
    constexpr std::string_view kNames[] = {"none", "shrink_cache", "degrade_telemetry",
                                           "eager_fallback"};
    return kNames[static_cast<std::size_t>(p)];
}

/// The cache's share of its byte budget at a level.
constexpr double cache_share(MemoryPressure p) {
    constexpr double kShares[] = {1.0, 0.5, 0.25, 0.0};
    return kShares[static_cast<std::size_t>(p)];
}

/// Turns the share of memory in use (0 … 1) into a level. A level is entered at its threshold and
/// left only `margin` below it, so that it does not change with every reading. Not thread-safe.
class PressureLadder {
  public:
    struct Thresholds {
        double shrink_cache = 0.80;
        double degrade_telemetry = 0.88;
        double eager_fallback = 0.95;
        double margin = 0.04;
    };
    PressureLadder() = default;
    explicit PressureLadder(Thresholds thresholds) : thresholds_(thresholds) {}

    MemoryPressure update(double share_in_use);
    MemoryPressure level() const { return level_; }

  private:
    Thresholds thresholds_;
    MemoryPressure level_ = MemoryPressure::kNone;
};

/// The share of memory in use (0 … 1): of the control group's limit if there is one, else of the
/// machine's memory. Nothing when neither can be read.
std::optional<double> memory_in_use();

/// The same from the contents of memory.current, memory.max and /proc/meminfo ("" for a missing
/// file).
std::optional<double> memory_in_use(std::string_view group_current, std::string_view group_max,
                                    std::string_view meminfo);

}  // namespace esper::execution
