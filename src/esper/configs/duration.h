#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace esper::configs {

enum class TimeUnit : int {
    kEpochs,        ///< `20ep`
    kBatches,       ///< `500ba`: optimizer steps
    kRunShare,      ///< `5%` of the run's steps
    kMilliseconds,  ///< `250ms`
    kSeconds,       ///< `10s`
    kMinutes,       ///< `30m`
    kHours,         ///< `72h`
    kDays,          ///< `7d`
};

/// A length with its unit: progress of a run (epochs, batches, a share of the run) or time on the
/// clock. A key's declaration says which of the two it accepts.
struct Duration {
    double value = 0;
    TimeUnit unit = TimeUnit::kSeconds;

    static constexpr Duration epochs(double n) { return {n, TimeUnit::kEpochs}; }
    static constexpr Duration batches(double n) { return {n, TimeUnit::kBatches}; }
    static constexpr Duration percent(double n) { return {n, TimeUnit::kRunShare}; }
    static constexpr Duration milliseconds(double n) { return {n, TimeUnit::kMilliseconds}; }
    static constexpr Duration seconds(double n) { return {n, TimeUnit::kSeconds}; }
    static constexpr Duration minutes(double n) { return {n, TimeUnit::kMinutes}; }
    static constexpr Duration hours(double n) { return {n, TimeUnit::kHours}; }

    /// Reads `20ep`, `500ba`, `5%`, `250ms`, `10s`, `30m`, `72h` or `7d`; nothing for any other
    /// text (without a unit, negative, infinite, with a blank inside).
    static std::optional<Duration> parse(std::string_view text);
    std::string to_string() const;

    constexpr bool is_progress() const { return unit <= TimeUnit::kRunShare; }
    constexpr bool is_clock() const { return !is_progress(); }

    /// Progress in optimizer steps, rounded to the nearest; nothing for time on the clock.
    std::optional<std::int64_t> steps(std::int64_t steps_per_epoch, std::int64_t run_steps) const;
    /// Time on the clock in seconds; nothing for progress.
    std::optional<double> in_seconds() const;

    bool operator==(const Duration&) const = default;
};

}  // namespace esper::configs
