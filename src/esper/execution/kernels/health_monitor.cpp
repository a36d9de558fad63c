#include "esper/execution/kernels/health_monitor.h"

namespace esper::execution {

HealthMonitor::HealthMonitor(Read read, Thresholds thresholds, Clock& clock)
    : read_(std::move(read)),
      thresholds_(thresholds),
      clock_(clock),
      due_ns_(clock.now_ns() + thresholds.interval.count()),
      last_(read_()) {}

std::optional<HealthReport> HealthMonitor::poll() {
    const std::int64_t now = clock_.now_ns();
    if (now < due_ns_) return std::nullopt;
    due_ns_ = now + thresholds_.interval.count();
    const HealthReading reading = read_();
    HealthReport report;
    if (const auto runs = static_cast<double>(reading.executions - last_.executions); runs > 0) {
        report.error_rate = static_cast<double>(reading.errors - last_.errors) / runs;
        report.latency_ms =
            static_cast<double>(reading.latency_us_total - last_.latency_us_total) / runs / 1000;
    }
    report.memory_share = reading.memory_share;
    last_ = reading;
    auto check = [&](std::optional<double> value, double limit, HealthBreach breach) {
        if (value && *value > limit) report.breaches.push_back(breach);
    };
    check(report.error_rate, thresholds_.error_rate, HealthBreach::kErrorRate);
    check(report.memory_share, thresholds_.memory_share, HealthBreach::kMemory);
    check(report.latency_ms, thresholds_.latency_ms, HealthBreach::kLatency);
    using enum contracts::SystemHealth;
    report.health = report.breaches.empty()       ? kHealthy
                    : report.breaches.size() == 1 ? kDegraded
                                                  : kCritical;
    return report;
}

}  // namespace esper::execution
