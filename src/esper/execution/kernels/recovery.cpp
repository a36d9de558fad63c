#include "esper/execution/kernels/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "esper/execution/kernels/cache_types.h"
#include "esper/execution/kernels/kernel_error.h"

namespace esper::execution {
namespace {

constexpr std::int64_t kHour = 3'600'000'000'000;
constexpr std::size_t kMaxKernels = 4096;

constexpr std::array<std::string_view, kErrorTypes> kTypeNames = {
    "kernel_execution", "kernel_loading",  "kernel_validation", "memory_overflow", "device_error",
    "network_error",    "circuit_breaker", "timeout",           "unknown"};
constexpr std::array<std::string_view, kStrategies> kStrategyNames = {
    "retry", "fallback", "circuit_breaker", "graceful_degradation", "escalate", "ignore"};

void push_bounded(std::deque<std::int64_t>& times, std::int64_t now, std::size_t window) {
    times.push_back(now);
    while (times.size() > window) times.pop_front();
}

}  // namespace

std::string_view to_text(ErrorType type) { return kTypeNames[static_cast<std::size_t>(type)]; }
std::string_view to_text(Strategy s) { return kStrategyNames[static_cast<std::size_t>(s)]; }

Strategy default_strategy(ErrorType type) {
    switch (type) {
        case ErrorType::kKernelLoading:
        case ErrorType::kNetworkError:
        case ErrorType::kTimeout:
            return Strategy::kRetry;
        case ErrorType::kKernelValidation:
        case ErrorType::kCircuitBreaker:
            return Strategy::kDegrade;
        case ErrorType::kMemoryOverflow:
            return Strategy::kCircuitBreaker;
        case ErrorType::kDeviceError:
            return Strategy::kEscalate;
        default:
            return Strategy::kFallback;
    }
}

ErrorType classify(const Error& error) {
    using enum KernelError;
    if (error.room() == "breaker" || error.is(RecoveryError::kBreakerOpen)) {
        return ErrorType::kCircuitBreaker;
    }
    if (error.room() == "cache" || error.room() == "files") return ErrorType::kKernelLoading;
    if (error.room() == "http" || error.room() == "s3") return ErrorType::kNetworkError;
    if (error.room() != "kernel") return ErrorType::kUnknown;
    switch (static_cast<KernelError>(error.value())) {
        case kBadBundle:
        case kBadManifest:
        case kBadKey:
        case kBadSignature:
        case kDigestMismatch:
        case kWrongKernel:
        case kBadOwner:
        case kBadMode:
        case kNotRegular:
        case kAbiMismatch:
        case kWrongShape:
        case kWrongDtype:
        case kNotFinite:
            return ErrorType::kKernelValidation;
        case kTooLarge:
        case kUnreadable:
        case kNotLoadable:
        case kMissingSymbol:
        case kGuardUnavailable:
            return ErrorType::kKernelLoading;
        case kBadCall:
        case kReturnedError:
        case kOverrun:
        case kCrashed:
        case kExited:
            return ErrorType::kKernelExecution;
        case kTimedOut:
            return ErrorType::kTimeout;
        case kOutOfMemory:
            return ErrorType::kMemoryOverflow;
        case kDevice:
            return ErrorType::kDeviceError;
        case kNetwork:
            return ErrorType::kNetworkError;
        case kUnknown:
            break;
    }
    return ErrorType::kUnknown;
}

RecoveryManager::RecoveryManager(RecoveryOptions options, Escalation escalate, Clock& clock)
    : options_(options), escalate_(std::move(escalate)), clock_(clock) {
    for (std::size_t t = 0; t < kErrorTypes; ++t) {
        strategies_[t] = default_strategy(static_cast<ErrorType>(t));
    }
}

void RecoveryManager::set_strategy(ErrorType type, Strategy strategy) {
    std::lock_guard lock(mutex_);
    strategies_[static_cast<std::size_t>(type)] = strategy;
}

utils::CircuitBreaker& RecoveryManager::breaker(const std::string& component) {
    std::lock_guard lock(mutex_);
    auto& slot = breakers_[component];
    if (!slot) slot = std::make_unique<utils::CircuitBreaker>(component, options_.breaker, clock_);
    return *slot;
}

bool RecoveryManager::is_problematic_kernel(std::uint64_t kernel_id) const {
    std::lock_guard lock(mutex_);
    const auto it = kernels_.find(kernel_id);
    return it != kernels_.end() && it->second.at_ns.size() >= options_.problematic_kernel;
}

bool RecoveryManager::is_problematic_component(const std::string& component) const {
    std::lock_guard lock(mutex_);
    const auto it = components_.find(component);
    return it != components_.end() && it->second.at_ns.size() >= options_.problematic_component;
}

double RecoveryManager::error_rate() const {
    std::lock_guard lock(mutex_);
    const std::int64_t from = clock_.now_ns() - options_.escalation_window.count();
    const auto n = std::ranges::count_if(recent_, [from](std::int64_t t) { return t >= from; });
    return static_cast<double>(n) * 1e9 / static_cast<double>(options_.escalation_window.count());
}

RecoveryStats RecoveryManager::stats() const {
    std::lock_guard lock(mutex_);
    RecoveryStats s = stats_;
    const std::int64_t from = clock_.now_ns() - kHour;
    while (!recent_.empty() && recent_.front() < from) recent_.pop_front();
    s.recent = recent_.size();
    s.active = active_.size();
    return s;
}

/// Adds the incident to the windows. Returns the reason to escalate, or "".
std::string RecoveryManager::note(const Incident& incident) {
    const double rate_before = error_rate();
    const std::int64_t now = clock_.now_ns();
    std::lock_guard lock(mutex_);
    ++stats_.incidents;
    ++stats_.by_type[static_cast<std::size_t>(incident.type)];
    push_bounded(recent_, now, 100'000);
    auto& component = components_[incident.component].at_ns;
    push_bounded(component, now, options_.window);
    std::size_t of_kernel = 0;
    if (incident.kernel_id != 0) {
        if (kernels_.size() >= kMaxKernels && !kernels_.contains(incident.kernel_id)) {
            kernels_.erase(kernels_.begin());
        }
        auto& kernel = kernels_[incident.kernel_id].at_ns;
        push_bounded(kernel, now, options_.window);
        of_kernel = kernel.size();
    }
    // Escalates once, when the limit is reached, not at every later error.
    if (of_kernel == options_.problematic_kernel) {
        return fmt::format("kernel {:016x} has failed {} times", incident.kernel_id, of_kernel);
    }
    if (component.size() == options_.problematic_component) {
        return fmt::format("{} has failed {} times", incident.component, component.size());
    }
    const double step = 1e9 / static_cast<double>(options_.escalation_window.count());
    if (rate_before <= options_.escalation_rate && rate_before + step > options_.escalation_rate) {
        return fmt::format("more than {} errors a second", options_.escalation_rate);
    }
    return {};
}

void RecoveryManager::escalate(const Incident& incident, std::string_view why, Recovery& recovery) {
    recovery.escalated = true;
    {
        std::lock_guard lock(mutex_);
        ++stats_.escalations;
    }
    if (escalate_) escalate_(incident, why);
}

void RecoveryManager::fall_back(const Incident& incident, Recovery& recovery) {
    if (!incident.fallback) {
        recovery.error = fail(RecoveryError::kNoWayLeft,
                              fmt::format("{}: no fallback after: {}", incident.component,
                                          incident.error.to_string()))
                             .value();
        return;
    }
    const Status status = incident.fallback();
    recovery.fell_back = recovery.recovered = status.has_value();
    recovery.error = status ? std::nullopt : std::optional(status.error());
}

void RecoveryManager::retry(const Incident& incident, std::uint32_t times, Recovery& recovery) {
    if (!incident.retry) return;
    double pause = static_cast<double>(options_.first_pause.count());
    for (std::uint32_t i = 0; i < times && !recovery.recovered; ++i) {
        clock_.sleep_for(std::chrono::nanoseconds(static_cast<std::int64_t>(pause)));
        pause *= options_.backoff;
        ++recovery.attempts;
        const Status status = incident.retry();
        recovery.recovered = status.has_value();
        recovery.error = status ? std::nullopt : std::optional(status.error());
    }
}

void RecoveryManager::act(const Incident& incident, Recovery& recovery) {
    switch (recovery.strategy) {
        case Strategy::kRetry:
            retry(incident, options_.max_retries, recovery);
            break;
        case Strategy::kCircuitBreaker: {
            auto permit = breaker(incident.component).acquire();
            if (!permit) {
                recovery.error =
                    fail(RecoveryError::kBreakerOpen, permit.error().message()).value();
                break;
            }
            const Status again =
                incident.retry ? incident.retry() : Status(tl::unexpected<Error>(incident.error));
            recovery.attempts = incident.retry ? 1 : 0;
            recovery.recovered = again.has_value();
            if (again) {
                permit->succeed();
            } else {
                recovery.error = again.error();
                permit->fail_call();
            }
            break;
        }
        case Strategy::kDegrade:
            if (incident.degrade && incident.degrade()) retry(incident, 1, recovery);
            break;
        case Strategy::kEscalate:
            escalate(incident, "errors of this type are not for us to decide", recovery);
            break;
        case Strategy::kIgnore:
            recovery.recovered = true;
            return;
        case Strategy::kFallback:
            break;
    }
    if (!recovery.recovered) fall_back(incident, recovery);
}

Recovery RecoveryManager::handle(const Incident& incident) {
    Recovery recovery;
    const auto key = std::make_pair(incident.component, incident.layer);
    {
        std::lock_guard lock(mutex_);
        recovery.strategy = strategies_[static_cast<std::size_t>(incident.type)];
        if (!active_.insert(key).second) {
            ++stats_.reentered;
            recovery.error =
                fail(RecoveryError::kAlreadyRecovering,
                     fmt::format("{} {} failed again while it was being recovered: {}",
                                 incident.component, incident.layer, incident.error.to_string()))
                    .value();
            return recovery;
        }
        ++stats_.by_strategy[static_cast<std::size_t>(recovery.strategy)];
    }
    const std::string why = note(incident);
    act(incident, recovery);
    if (!why.empty() && !recovery.escalated) escalate(incident, why, recovery);
    std::lock_guard lock(mutex_);
    active_.erase(key);
    if (recovery.recovered) ++stats_.recovered;
    return recovery;
}

}  // namespace esper::execution
