#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "esper/base/clock.h"
#include "esper/base/error.h"

namespace esper::utils {

#define ESPER_BREAKER_ERRORS(X)                                             \
    X(kOpen, kRuntime)     /* no call was made: recent calls have failed */ \
    X(kTimedOut, kRuntime) /* the call succeeded, but after its time limit */
ESPER_DEFINE_ERRORS(BreakerError, "breaker", ESPER_BREAKER_ERRORS)

struct BreakerOptions {
    /// Consecutive failures (timeouts count) that open the breaker.
    std::uint32_t failure_threshold = 5;
    /// How long it stays open before it lets a trial call through.
    std::chrono::nanoseconds recovery_timeout = std::chrono::seconds(30);
    /// Successful trial calls that close it again.
    std::uint32_t success_threshold = 3;
    /// A call that takes longer counts as failed. 0: no limit.
    std::chrono::nanoseconds call_timeout = std::chrono::seconds(30);
    /// Trial calls that may run at the same time.
    std::uint32_t half_open_calls = 1;
};

enum class BreakerState : std::uint8_t { kClosed, kOpen, kHalfOpen };
/// `closed`, `open`, `half_open`.
std::string_view breaker_state_name(BreakerState state);

struct BreakerStatistics {
    std::string name;
    BreakerState state = BreakerState::kClosed;
    std::uint32_t failure_count = 0;  ///< consecutive
    std::uint32_t success_count = 0;  ///< of trial calls
    std::uint64_t total_requests = 0;
    std::uint64_t total_failures = 0;
    std::uint64_t total_successes = 0;
    std::uint64_t total_timeouts = 0;
    std::uint64_t total_rejected = 0;
    std::uint64_t total_circuit_opens = 0;
    std::int64_t last_failure_utc_ns = 0;  ///< 0: never
    std::int64_t last_state_change_utc_ns = 0;
    BreakerOptions options;
};

/// Refuses calls to a service that keeps failing, and tries again after a while. Closed: calls go
/// through. Open: calls are refused at once. Half open: a few trial calls decide. No lock is held
/// during a call. The breaker does not interrupt a slow call; the call needs a timeout of its own.
/// The result of a call that began before a change of state counts only for the totals.
/// Thread-safe.
class CircuitBreaker {
  public:
    explicit CircuitBreaker(std::string name, BreakerOptions options = {},
                            Clock& clock = system_clock());
    ~CircuitBreaker();

    /// One permitted call. Exactly one of succeed() and fail_call() ends it; an abandoned permit
    /// counts as a failure.
    class Permit {
      public:
        Permit(Permit&& other) noexcept;
        Permit& operator=(Permit&&) = delete;
        ~Permit();
        /// False when the call took longer than allowed and so counts as a timeout.
        bool succeed();
        void fail_call();

      private:
        friend class CircuitBreaker;
        Permit(CircuitBreaker& breaker, std::uint64_t epoch, std::int64_t start_ns, bool trial);
        CircuitBreaker* breaker_;
        std::uint64_t epoch_;
        std::int64_t start_ns_;
        bool trial_;
    };

    /// Error: kOpen, with the time left.
    Result<Permit> acquire();

    /// Runs `call`, which returns a Result, unless the breaker is open. `is_failure` says which
    /// errors count as a failure of the service (default: all). Errors: kOpen, kTimedOut, and those
    /// of `call`.
    template <typename Call>
    auto run(Call&& call, const std::function<bool(const Error&)>& is_failure = {})
        -> decltype(call()) {
        auto permit = acquire();
        if (!permit) return tl::unexpected<Error>(permit.error());
        auto result = call();
        if (!result && (!is_failure || is_failure(result.error()))) {
            permit->fail_call();
        } else if (!permit->succeed() && result) {
            return tl::unexpected<Error>(late());
        }
        return result;
    }

    /// Closes the breaker and sets the counters of the current state to zero; totals stay.
    void reset();
    BreakerState state() const;
    BreakerStatistics statistics() const;

  private:
    struct Impl;
    enum class Outcome { kSuccess, kFailure, kTimeout };
    void finish(const Permit& permit, Outcome outcome);
    bool is_late(const Permit& permit) const;
    Error late() const;
    std::unique_ptr<Impl> impl_;
};

}  // namespace esper::utils
