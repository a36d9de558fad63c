#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "esper/base/clock.h"
#include "esper/contracts/enums.h"

namespace esper::execution {

/// Running totals that the monitor takes the differences of.
struct HealthReading {
    std::uint64_t executions = 0;
    std::uint64_t errors = 0;
    std::uint64_t latency_us_total = 0;
    std::optional<double> memory_share;
};

enum class HealthBreach : std::uint8_t { kErrorRate, kMemory, kLatency };

struct HealthReport {
    contracts::SystemHealth health = contracts::SystemHealth::kHealthy;
    std::optional<double> error_rate;  ///< nothing ran: unmeasured, not zero
    std::optional<double> latency_ms;  ///< mean over the interval
    std::optional<double> memory_share;
    std::vector<HealthBreach> breaches;
};

/// Looks at the readings once an interval. Healthy without a breach, degraded with one, critical
/// with two or more. Thread-compatible; whoever owns the loop calls `poll`.
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

    /// A report when an interval has passed since the last one.
    std::optional<HealthReport> poll();

  private:
    const Read read_;
    const Thresholds thresholds_;
    Clock& clock_;
    std::int64_t due_ns_;
    HealthReading last_;
};

}  // namespace esper::execution
