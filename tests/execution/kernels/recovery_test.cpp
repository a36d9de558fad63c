#include "esper/execution/kernels/recovery.h"

#include <gtest/gtest.h>

#include "esper/execution/kernels/cache_types.h"
#include "esper/execution/kernels/health_monitor.h"
#include "esper/execution/kernels/kernel_error.h"
#include "esper/execution/states/transitions.h"

namespace esper::execution {
namespace {

using namespace std::chrono_literals;

Error error_of(KernelError e) { return fail(e, "it failed").value(); }

struct Scene {
    ManualClock clock;
    std::vector<std::string> told;
    RecoveryManager manager;
    int retries = 0, fallbacks = 0, degradations = 0;

    explicit Scene(RecoveryOptions options = {})
        : manager(
              options, [this](const Incident&, std::string_view why) { told.emplace_back(why); },
              clock) {}

    Incident incident(ErrorType type, int good_after = 1000) {
        Incident i{.type = type,
                   .component = "executor",
                   .layer = "layer1",
                   .kernel_id = 0,
                   .error = error_of(KernelError::kUnknown),
                   .retry = {},
                   .fallback = {},
                   .degrade = {}};
        i.retry = [this, good_after]() -> Status {
            return ++retries >= good_after ? Status() : fail(KernelError::kUnknown, "again");
        };
        i.fallback = [this]() -> Status { return ++fallbacks, Status(); };
        i.degrade = [this]() -> Status { return ++degradations, Status(); };
        return i;
    }
};

TEST(Recovery, RetryReallyTriesAgainAfterGrowingPauses) {
    Scene s;
    const std::int64_t start = s.clock.now_ns();
    const Recovery r = s.manager.handle(s.incident(ErrorType::kKernelLoading, 3));
    EXPECT_EQ(r.strategy, Strategy::kRetry);
    EXPECT_TRUE(r.recovered);
    EXPECT_FALSE(r.fell_back);
    EXPECT_EQ(r.attempts, 3u);
    EXPECT_EQ(s.retries, 3);
    EXPECT_EQ(s.clock.now_ns() - start, 10'000'000 + 15'000'000 + 22'500'000);
}

TEST(Recovery, RetriesThatRunOutFallBack) {
    Scene s;
    const Recovery r = s.manager.handle(s.incident(ErrorType::kTimeout));
    EXPECT_EQ(s.retries, 3);
    EXPECT_EQ(s.fallbacks, 1);
    EXPECT_TRUE(r.recovered && r.fell_back);
}

TEST(Recovery, FallbackDoesNotTryAgain) {
    Scene s;
    const Recovery r = s.manager.handle(s.incident(ErrorType::kKernelExecution));
    EXPECT_EQ(r.strategy, Strategy::kFallback);
    EXPECT_EQ(s.retries, 0);
    EXPECT_EQ(s.fallbacks, 1);
}

TEST(Recovery, TheBreakerStopsTryingWhatKeepsFailingAndTriesAgainLater) {
    Scene s;
    for (int i = 0; i < 8; ++i) {
        EXPECT_TRUE(s.manager.handle(s.incident(ErrorType::kMemoryOverflow)).fell_back);
    }
    EXPECT_EQ(s.retries, 5) << "five failures open it";
    EXPECT_EQ(s.fallbacks, 8);
    s.clock.advance(31s);
    EXPECT_FALSE(s.manager.handle(s.incident(ErrorType::kMemoryOverflow, 1)).fell_back);
    EXPECT_EQ(s.retries, 6);
}

TEST(Recovery, DegradationGivesSomethingUpAndTriesOnceMore) {
    Scene s;
    const Recovery r = s.manager.handle(s.incident(ErrorType::kKernelValidation, 1));
    EXPECT_EQ(s.degradations, 1);
    EXPECT_EQ(s.retries, 1);
    EXPECT_TRUE(r.recovered && !r.fell_back);
}

TEST(Recovery, EscalationTellsSomebodyAndFallsBackMeanwhile) {
    Scene s;
    const Recovery r = s.manager.handle(s.incident(ErrorType::kDeviceError));
    EXPECT_TRUE(r.escalated && r.fell_back && r.recovered);
    EXPECT_EQ(s.told.size(), 1u);
}

TEST(Recovery, IgnoringOnlyCounts) {
    Scene s;
    s.manager.set_strategy(ErrorType::kUnknown, Strategy::kIgnore);
    EXPECT_TRUE(s.manager.handle(s.incident(ErrorType::kUnknown)).recovered);
    EXPECT_EQ(s.retries + s.fallbacks + s.degradations, 0);
    EXPECT_EQ(s.manager.stats().incidents, 1u);
}

TEST(Recovery, WithoutAFallbackThereIsNoWayLeft) {
    Scene s;
    Incident i = s.incident(ErrorType::kKernelExecution);
    i.fallback = {};
    const Recovery r = s.manager.handle(i);
    EXPECT_FALSE(r.recovered);
    EXPECT_TRUE(r.error->is(RecoveryError::kNoWayLeft));
    i.fallback = []() -> Status { return fail(KernelError::kUnknown, "that, too"); };
    EXPECT_TRUE(s.manager.handle(i).error->is(KernelError::kUnknown));
}

TEST(Recovery, RecoveryNeverRecursesIntoItself) {
    Scene s;
    Incident outer = s.incident(ErrorType::kKernelExecution);
    std::optional<Recovery> inner;
    outer.fallback = [&]() -> Status {
        inner = s.manager.handle(s.incident(ErrorType::kKernelExecution));
        return {};
    };
    EXPECT_TRUE(s.manager.handle(outer).recovered);
    EXPECT_TRUE(inner->error->is(RecoveryError::kAlreadyRecovering));
    EXPECT_EQ(s.manager.stats().reentered, 1u);
    EXPECT_EQ(s.manager.stats().active, 0u);
}

TEST(Recovery, AKernelIsProblematicAtThreeErrorsAndItIsToldOnce) {
    Scene s;
    Incident i = s.incident(ErrorType::kKernelExecution);
    i.kernel_id = 77;
    for (int n = 0; n < 5; ++n) {
        EXPECT_EQ(s.manager.is_problematic_kernel(77), n >= 3);
        EXPECT_EQ(s.manager.handle(i).escalated, n == 2);
    }
    ASSERT_EQ(s.told.size(), 1u);
    EXPECT_NE(s.told[0].find("has failed 3 times"), std::string::npos);
    EXPECT_FALSE(s.manager.is_problematic_kernel(78));
}

TEST(Recovery, AComponentIsProblematicAtTenErrors) {
    Scene s;
    for (int n = 0; n < 10; ++n) {
        EXPECT_FALSE(s.manager.is_problematic_component("executor"));
        (void)s.manager.handle(s.incident(ErrorType::kKernelExecution));
    }
    EXPECT_TRUE(s.manager.is_problematic_component("executor"));
    EXPECT_FALSE(s.manager.is_problematic_component("other"));
    EXPECT_EQ(s.told.size(), 1u);
}

TEST(Recovery, TooManyErrorsASecondAreTold) {
    Scene s({.problematic_component = 1000});
    for (int n = 0; n < 31; ++n) {
        s.clock.advance(1s);
        (void)s.manager.handle(s.incident(ErrorType::kKernelExecution));
    }
    ASSERT_EQ(s.told.size(), 1u);
    EXPECT_NE(s.told[0].find("errors a second"), std::string::npos);
    EXPECT_NEAR(s.manager.error_rate(), 31.0 / 300, 1e-9);
    s.clock.advance(301s);
    EXPECT_EQ(s.manager.error_rate(), 0);
}

TEST(Recovery, StatisticsAreByTypeAndStrategyAndForgetAfterAnHour) {
    Scene s;
    EXPECT_EQ(s.manager.stats().success_rate(), 1);
    (void)s.manager.handle(s.incident(ErrorType::kTimeout));
    Incident lost = s.incident(ErrorType::kKernelExecution);
    lost.fallback = {};
    (void)s.manager.handle(lost);
    RecoveryStats stats = s.manager.stats();
    EXPECT_EQ(stats.by_type[static_cast<std::size_t>(ErrorType::kTimeout)], 1u);
    EXPECT_EQ(stats.by_strategy[static_cast<std::size_t>(Strategy::kFallback)], 1u);
    EXPECT_EQ(stats.success_rate(), 0.5);
    EXPECT_EQ(stats.recent, 2u);
    s.clock.advance(2h);
    EXPECT_EQ(s.manager.stats().recent, 0u);
}

TEST(Recovery, EveryErrorOfTheRoomHasATypeAndEveryTypeAStrategyAndAName) {
    for (KernelError e : esper_all_errors(KernelError{})) {
        const ErrorType type = classify(error_of(e));
        EXPECT_EQ(type == ErrorType::kUnknown, e == KernelError::kUnknown) << esper_error_name(e);
    }
    EXPECT_EQ(classify(fail(CacheError::kBanned, "").value()), ErrorType::kKernelLoading);
    EXPECT_EQ(classify(fail(RecoveryError::kBreakerOpen, "").value()), ErrorType::kCircuitBreaker);
    EXPECT_EQ(classify(fail(utils::BreakerError::kOpen, "").value()), ErrorType::kCircuitBreaker);
    EXPECT_EQ(classify(fail(StateError::kStale, "").value()), ErrorType::kUnknown);
    EXPECT_EQ(to_text(ErrorType::kCircuitBreaker), "circuit_breaker");
    EXPECT_EQ(to_text(Strategy::kDegrade), "graceful_degradation");
}

TEST(HealthMonitor, BreachesAreOfTheIntervalNotOfTheWholeRun) {
    ManualClock clock;
    HealthReading now{.executions = 1000, .errors = 900, .latency_us_total = 0, .memory_share = {}};
    HealthMonitor monitor([&] { return now; }, {}, clock);
    EXPECT_FALSE(monitor.poll());
    clock.advance(10s);
    now.executions += 100;
    now.errors += 2;
    now.latency_us_total += 100 * 1500;
    auto report = monitor.poll();
    ASSERT_TRUE(report);
    EXPECT_DOUBLE_EQ(*report->error_rate, 0.02);
    EXPECT_DOUBLE_EQ(*report->latency_ms, 1.5);
    EXPECT_EQ(report->health, contracts::SystemHealth::kHealthy);
    EXPECT_FALSE(monitor.poll());
    clock.advance(10s);
    now.executions += 10;
    now.errors += 1;
    EXPECT_EQ(monitor.poll()->health, contracts::SystemHealth::kDegraded);
    clock.advance(10s);
    now.executions += 1;
    now.latency_us_total += 2'000'000;
    now.memory_share = 0.95;
    report = monitor.poll();
    EXPECT_EQ(report->health, contracts::SystemHealth::kCritical);
    EXPECT_EQ(report->breaches, (std::vector{HealthBreach::kMemory, HealthBreach::kLatency}));
    clock.advance(10s);
    EXPECT_FALSE(monitor.poll()->error_rate) << "nothing ran: unmeasured, not zero";
}

}  // namespace
}  // namespace esper::execution
