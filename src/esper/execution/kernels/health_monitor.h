#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "esper/base/clock.h"
#include "esper/contracts/enums.h"

namespace esper::execution {

/// Running totals; the monitor uses their differences.
struct HealthReading {
    std::uint64_t executions = 0;
    std::uint64_t errors = 0;
    std::uint64_t latency_us_total = 0;
    std::optional<double> memory_share;
};

enum class HealthBreach : std::uint8_t { kErrorRate, kMemory, kLatency };

struct HealthReport {
    contracts::SystemHealth health = contracts::SystemHealth::kHealthy;
    std::optional<double> error_rate;  ///< nothing if no kernel ran
    std::optional<double> latency_ms;  ///< mean over the interval
    std::optional<double> memory_share;
    std::vector<HealthBreach> breaches;
};

/// Compares the readings with their limits once per interval: healthy when all limits hold,
/// degraded when one is exceeded, critical when two or more are. The owner calls `poll` in its
/// loop. Thread-compatible.
class HealthMonitor {
  public:
    struct Thresholds {
        double error_rate = 0.05;
        double memory_share = 0.9;
        double latency_ms = 1000;
        std::chrono::nanoseconds interval = std::chrono::seconds(10);
    };
    using Read = std::function<HealthReading()>;
    HealthMonitor(Read read, Thresholds thresholds, Clock& clock = system_clock());

    /// A report if an interval has passed since the last report.
    std::optional<HealthReport> poll();

  private:
    const Read read_;
    const Thresholds thresholds_;
    Clock& clock_;
    std::int64_t due_ns_;
    HealthReading last_;
};

}  // namespace esper::execution
