#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "esper/base/clock.h"
#include "esper/base/error.h"
#include "esper/utils/circuit_breaker.h"

namespace esper::execution {

#define ESPER_RECOVERY_ERRORS(X) \
    X(kAlreadyRecovering, kRuntime) X(kNoWayLeft, kRuntime) X(kBreakerOpen, kRuntime)
ESPER_DEFINE_ERRORS(RecoveryError, "recovery", ESPER_RECOVERY_ERRORS)

/// The kind of an error; it selects the recovery strategy.
enum class ErrorType : std::uint8_t {
    kKernelExecution,
    kKernelLoading,
    kKernelValidation,
    kMemoryOverflow,
    kDeviceError,
    kNetworkError,
    kCircuitBreaker,
    kTimeout,
    kUnknown,
};
inline constexpr std::size_t kErrorTypes = 9;
std::string_view to_text(ErrorType type);

enum class Strategy : std::uint8_t {
    kRetry,           ///< retry after growing pauses; then fall back
    kFallback,        ///< the identity path at once
    kCircuitBreaker,  ///< count in the component's breaker and fall back; do not try while open
    kDegrade,         ///< reduce cache, telemetry or speed, then retry once
    kEscalate,        ///< report to the owner of the manager, and fall back
    kIgnore,          ///< only count it
};
inline constexpr std::size_t kStrategies = 6;
std::string_view to_text(Strategy strategy);

/// The strategy for a type of error, unless RecoveryManager::set_strategy sets another.
Strategy default_strategy(ErrorType type);
/// The type of an error of any room.
ErrorType classify(const Error& error);

/// One error with the actions that the caller offers to recover from it.
struct Incident {
    ErrorType type = ErrorType::kUnknown;
    std::string component;  ///< e.g. `executor`
    std::string layer;      ///< the anchor, or ""
    std::uint64_t kernel_id = 0;
    Error error;
    std::function<Status()> retry;     ///< repeats the work
    std::function<Status()> fallback;  ///< continues without the work's result
    std::function<Status()> degrade;   ///< frees resources, so that a retry may succeed
};

struct Recovery {
    Strategy strategy = Strategy::kIgnore;
    bool recovered = false;  ///< the work was repeated or replaced by the fallback
    bool fell_back = false;
    bool escalated = false;
    std::uint32_t attempts = 0;  ///< retries made
    std::optional<Error> error;  ///< set when not recovered
};

struct RecoveryOptions {
    std::uint32_t max_retries = 3;
    std::chrono::nanoseconds first_pause = std::chrono::milliseconds(10);
    double backoff = 1.5;
    std::uint32_t window = 100;            ///< errors remembered per kernel and component
    std::uint32_t problematic_kernel = 3;  ///< errors within the window
    std::uint32_t problematic_component = 10;
    double escalation_rate = 0.1;  ///< errors a second …
    std::chrono::nanoseconds escalation_window = std::chrono::seconds(300);  ///< … over this
    utils::BreakerOptions breaker = {};
};

struct RecoveryStats {
    std::uint64_t incidents = 0, recovered = 0, escalations = 0, reentered = 0;
    std::uint64_t recent = 0;  ///< incidents of the last hour
    std::uint64_t active = 0;
    std::array<std::uint64_t, kErrorTypes> by_type{};
    std::array<std::uint64_t, kStrategies> by_strategy{};
    double success_rate() const {
        return incidents == 0 ? 1 : static_cast<double>(recovered) / static_cast<double>(incidents);
    }
};

/// Handles errors with the strategy of their type. Thread-safe; callbacks run without a lock. While
/// an incident is being handled, a second one of the same component and layer (e.g. from inside its
/// retry) is refused with kAlreadyRecovering, so recovery never recurses.
class RecoveryManager {
  public:
    using Escalation = std::function<void(const Incident&, std::string_view why)>;

    explicit RecoveryManager(RecoveryOptions options = {}, Escalation escalate = {},
                             Clock& clock = system_clock());

    void set_strategy(ErrorType type, Strategy strategy);
    Recovery handle(const Incident& incident);

    bool is_problematic_kernel(std::uint64_t kernel_id) const;
    bool is_problematic_component(const std::string& component) const;
    /// Errors a second over the escalation window.
    double error_rate() const;
    RecoveryStats stats() const;
    utils::CircuitBreaker& breaker(const std::string& component);

  private:
    struct Times {
        std::deque<std::int64_t> at_ns;
    };
    std::string note(const Incident& incident);
    void act(const Incident& incident, Recovery& recovery);
    void retry(const Incident& incident, std::uint32_t times, Recovery& recovery);
    void fall_back(const Incident& incident, Recovery& recovery);
    void escalate(const Incident& incident, std::string_view why, Recovery& recovery);

    const RecoveryOptions options_;
    const Escalation escalate_;
    Clock& clock_;
    mutable std::mutex mutex_;
    std::array<Strategy, kErrorTypes> strategies_{};
    std::unordered_map<std::uint64_t, Times> kernels_;
    std::map<std::string, Times> components_;
    mutable std::deque<std::int64_t> recent_;
    std::set<std::pair<std::string, std::string>> active_;
    std::map<std::string, std::unique_ptr<utils::CircuitBreaker>> breakers_;
    RecoveryStats stats_;
};

}  // namespace esper::execution
