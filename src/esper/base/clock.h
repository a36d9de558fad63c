#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

namespace esper {

/// The source of time. A test can pass a ManualClock and so run with simulated time. Thread-safe.
class Clock {
  public:
    virtual ~Clock() = default;
    /// Monotonic nanoseconds since an arbitrary start.
    virtual std::int64_t now_ns() const = 0;
    /// Nanoseconds since 1970-01-01 UTC.
    virtual std::int64_t utc_ns() const = 0;
    virtual void sleep_for(std::chrono::nanoseconds duration) = 0;
};

/// The machine's own clock.
Clock& system_clock();

/// A clock that moves only on advance() and sleep_for(). A negative duration is ignored.
class ManualClock final : public Clock {
  public:
    explicit ManualClock(std::int64_t utc_ns = 0) : utc_ns_(utc_ns) {}
    std::int64_t now_ns() const override;
    std::int64_t utc_ns() const override;
    void sleep_for(std::chrono::nanoseconds duration) override;
    void advance(std::chrono::nanoseconds duration) { sleep_for(duration); }

  private:
    const std::int64_t utc_ns_;
    std::atomic<std::int64_t> elapsed_ns_{0};
};

/// `2026-11-23T09:18:05.123Z`; anything below a millisecond is cut off.
std::string iso8601(std::int64_t utc_ns);

}  // namespace esper
