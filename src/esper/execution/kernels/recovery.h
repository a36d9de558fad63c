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

/// What went wrong, as far as it matters for what to do about it.
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
    kRetry,           ///< again, after growing pauses; then fall back
    kFallback,        ///< the identity path at once
    kCircuitBreaker,  ///< count against the component's breaker, fall back; open: do not even try
    kDegrade,         ///< give something up (cache, telemetry, speed), then try once more
    kEscalate,        ///< tell whoever can decide, and fall back meanwhile
    kIgnore,          ///< count it
};
inline constexpr std::size_t kStrategies = 6;
std::string_view to_text(Strategy strategy);

/// The strategy a type of error is met with.
Strategy default_strategy(ErrorType type);
/// The type of an error of any room.
ErrorType classify(const Error& error);

/// One thing that went wrong and the ways out of it that its owner offers.
struct Incident {
    ErrorType type = ErrorType::kUnknown;
    std::string component;  ///< e.g. `executor`
    std::string layer;      ///< the anchor, where there is one
    std::uint64_t kernel_id = 0;
    Error error;
    std::function<Status()> retry;     ///< does it again
    std::function<Status()> fallback;  ///< makes do without it
    std::function<Status()> degrade;   ///< gives something up, so that a retry has a better chance
};

struct Recovery {
    Strategy strategy = Strategy::kIgnore;
    bool recovered = false;  ///< the work was done, or done without
    bool fell_back = false;
    bool escalated = false;
    std::uint32_t attempts = 0;  ///< retries made
    std::optional<Error> error;  ///< why not, when not recovered
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

/// Meets errors with the strategy of their type. Thread-safe; callbacks run without a lock. A
/// second incident of the same component and layer while one is being recovered (a retry that
/// fails again from within) is refused with kAlreadyRecovering, so recovery never recurses.
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
