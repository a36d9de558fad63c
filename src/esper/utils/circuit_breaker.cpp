#include "esper/utils/circuit_breaker.h"

#include <fmt/format.h>

#include <mutex>

namespace esper::utils {

std::string_view breaker_state_name(BreakerState state) {
    static constexpr std::string_view kNames[] = {"closed", "open", "half_open"};
    return kNames[static_cast<std::size_t>(state)];
}

struct CircuitBreaker::Impl {
    Impl(std::string n, BreakerOptions o, Clock& c) : options(o), clock(c) {
        figures.name = std::move(n);
        figures.options = o;
        figures.last_state_change_utc_ns = c.utc_ns();
    }

    BreakerOptions options;
    Clock& clock;
    mutable std::mutex mutex;
    BreakerStatistics figures;
    /// Counts changes of state, so that the result of an earlier call can be recognised.
    std::uint64_t epoch = 0;
    std::int64_t opened_ns = 0;
    std::uint32_t trials_running = 0;

    void go(BreakerState to) {
        figures.state = to;
        figures.failure_count = 0;
        figures.success_count = 0;
        figures.last_state_change_utc_ns = clock.utc_ns();
        trials_running = 0;
        ++epoch;
        if (to == BreakerState::kOpen) {
            opened_ns = clock.now_ns();
            ++figures.total_circuit_opens;
        }
    }
    std::int64_t left_ns() const {
        return opened_ns + options.recovery_timeout.count() - clock.now_ns();
    }
};

CircuitBreaker::CircuitBreaker(std::string name, BreakerOptions options, Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(name), options, clock)) {}
CircuitBreaker::~CircuitBreaker() = default;

Result<CircuitBreaker::Permit> CircuitBreaker::acquire() {
    const std::lock_guard lock(impl_->mutex);
    BreakerStatistics& f = impl_->figures;
    ++f.total_requests;
    if (f.state == BreakerState::kOpen && impl_->left_ns() <= 0) impl_->go(BreakerState::kHalfOpen);
    const bool trial = f.state == BreakerState::kHalfOpen;
    if (f.state == BreakerState::kOpen ||
        (trial && impl_->trials_running >= impl_->options.half_open_calls)) {
        ++f.total_rejected;
        const std::string why = trial ? std::string("a trial call is under way")
                                      : fmt::format("the next try is in {:.1f} s",
                                                    static_cast<double>(impl_->left_ns()) / 1e9);
        return fail(BreakerError::kOpen, fmt::format("{} has been failing; {}", f.name, why));
    }
    if (trial) ++impl_->trials_running;
    return Permit(*this, impl_->epoch, impl_->clock.now_ns(), trial);
}

void CircuitBreaker::finish(const Permit& permit, Outcome outcome) {
    const std::lock_guard lock(impl_->mutex);
    BreakerStatistics& f = impl_->figures;
    const bool ok = outcome == Outcome::kSuccess;
    if (ok) {
        ++f.total_successes;
    } else {
        ++f.total_failures;
        if (outcome == Outcome::kTimeout) ++f.total_timeouts;
        f.last_failure_utc_ns = impl_->clock.utc_ns();
    }
    if (permit.epoch_ != impl_->epoch) return;
    if (permit.trial_) {
        --impl_->trials_running;
        if (!ok) {
            impl_->go(BreakerState::kOpen);
        } else if (++f.success_count >= impl_->options.success_threshold) {
            impl_->go(BreakerState::kClosed);
        }
    } else if (ok) {
        f.failure_count = 0;
    } else if (++f.failure_count >= impl_->options.failure_threshold) {
        impl_->go(BreakerState::kOpen);
    }
}

bool CircuitBreaker::is_late(const Permit& permit) const {
    const auto limit = impl_->options.call_timeout.count();
    return limit > 0 && impl_->clock.now_ns() - permit.start_ns_ > limit;
}

Error CircuitBreaker::late() const {
    return fail(BreakerError::kTimedOut,
                fmt::format("{} took longer than the {:.1f} s allowed", impl_->figures.name,
                            static_cast<double>(impl_->options.call_timeout.count()) / 1e9))
        .value();
}

void CircuitBreaker::reset() {
    const std::lock_guard lock(impl_->mutex);
    impl_->go(BreakerState::kClosed);
}

BreakerState CircuitBreaker::state() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->figures.state;
}

BreakerStatistics CircuitBreaker::statistics() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->figures;
}

CircuitBreaker::Permit::Permit(CircuitBreaker& breaker, std::uint64_t epoch, std::int64_t start_ns,
                               bool trial)
    : breaker_(&breaker), epoch_(epoch), start_ns_(start_ns), trial_(trial) {}

CircuitBreaker::Permit::Permit(Permit&& other) noexcept
    : breaker_(std::exchange(other.breaker_, nullptr)),
      epoch_(other.epoch_),
      start_ns_(other.start_ns_),
      trial_(other.trial_) {}

CircuitBreaker::Permit::~Permit() { fail_call(); }

bool CircuitBreaker::Permit::succeed() {
    CircuitBreaker* breaker = std::exchange(breaker_, nullptr);
    if (breaker == nullptr) return true;
    const bool late = breaker->is_late(*this);
    breaker->finish(*this, late ? Outcome::kTimeout : Outcome::kSuccess);
    return !late;
}

void CircuitBreaker::Permit::fail_call() {
    CircuitBreaker* breaker = std::exchange(breaker_, nullptr);
    if (breaker == nullptr) return;
    breaker->finish(*this, breaker->is_late(*this) ? Outcome::kTimeout : Outcome::kFailure);
}

}  // namespace esper::utils
