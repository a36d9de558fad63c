#include "esper/base/clock.h"

#include <fmt/format.h>

#include <thread>

namespace esper {
namespace {

class SystemClock final : public Clock {
  public:
    std::int64_t now_ns() const override {
        return nanoseconds(std::chrono::steady_clock::now().time_since_epoch());
    }
    std::int64_t utc_ns() const override {
        return nanoseconds(std::chrono::system_clock::now().time_since_epoch());
    }
    void sleep_for(std::chrono::nanoseconds duration) override {
        std::this_thread::sleep_for(duration);
    }

  private:
    static std::int64_t nanoseconds(std::chrono::nanoseconds duration) { return duration.count(); }
};

}  // namespace

Clock& system_clock() {
    static SystemClock clock;
    return clock;
}

std::int64_t ManualClock::now_ns() const { return elapsed_ns_.load(std::memory_order_acquire); }

std::int64_t ManualClock::utc_ns() const { return utc_ns_ + now_ns(); }

void ManualClock::sleep_for(std::chrono::nanoseconds duration) {
    if (duration.count() > 0) elapsed_ns_.fetch_add(duration.count(), std::memory_order_acq_rel);
}

std::string iso8601(std::int64_t utc_ns) {
    using std::chrono::milliseconds;
    using std::chrono::nanoseconds;
    const std::chrono::sys_time<nanoseconds> time{nanoseconds{utc_ns}};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{std::chrono::floor<milliseconds>(time - day)};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                       clock.subseconds().count());
}

}  // namespace esper
