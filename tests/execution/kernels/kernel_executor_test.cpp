#include "esper/execution/kernels/kernel_executor.h"

#include <gtest/gtest.h>

#include <map>

#include "esper/base/fault_points.h"
#include "execution/kernels/test_kernels.h"
#include "execution/kernels/test_source.h"

namespace esper::execution {
namespace {

using esper::testing::bundle_of;
using esper::testing::compile_kernel;
using esper::testing::kDouble;
using esper::testing::test_trust;
using enum contracts::SeedState;

/// An executor with a library of its own: kernels by name.
class KernelExecutorTest : public ::testing::Test {
  protected:
    KernelExecutorTest() : table_(4) {
        for (SeedState s : {kGerminated, kLoading, kTraining, kGrafting}) {
            EXPECT_TRUE(table_.transition({.seed = 1, .to = s, .kernel_id = 1}));
        }
    }
    ~KernelExecutorTest() override { FaultPoints::disarm_all(); }

    void add(const std::string& artifact, const std::string& body) {
        library_[kernel_id_of(artifact)] = bundle_of(artifact, compile_kernel(body));
    }
    ExecutionReport run(KernelExecutor& executor, const std::string& artifact,
                        std::optional<std::uint32_t> seed = {},
                        std::optional<std::chrono::nanoseconds> deadline = {}) {
        y_ = {9, 9, 9};
        return executor.run({.kernel_id = kernel_id_of(artifact),
                             .inputs = std::span(&in_, 1),
                             .outputs = std::span(&out_, 1),
                             .layer = "layer1",
                             .seed = seed,
                             .epoch = 5,
                             .deadline = deadline});
    }
    bool zeros() const { return y_ == std::vector<float>{0, 0, 0}; }
    bool doubled() const { return y_ == std::vector<float>{2, 4, 6}; }

    std::map<std::uint64_t, std::string> library_;
    VerifiedKernelSource source_{[this](std::uint64_t id) -> Result<std::string> {
                                     const auto it = library_.find(id);
                                     if (it != library_.end()) return it->second;
                                     return fail(KernelError::kNetwork, "no such kernel");
                                 },
                                 test_trust().ring};
    StateTable table_;
    ManualClock clock_;
    std::vector<std::string> told_;
    RecoveryManager recovery_{
        {}, [this](const Incident&, std::string_view why) { told_.emplace_back(why); }, clock_};
    KernelCache cache_{{}, source_, nullptr, nullptr, clock_};
    std::vector<float> x_ = {1, 2, 3}, y_ = {9, 9, 9};
    KernelTensor in_{x_.data(), {3}, KernelDtype::kF32};
    KernelTensor out_{y_.data(), {3}, KernelDtype::kF32};
};

TEST_F(KernelExecutorTest, ASoundKernelRunsInEveryMode) {
    add("good", kDouble);
    for (auto mode :
         {ExecutionMode::kGuarded, ExecutionMode::kProbation, ExecutionMode::kInProcess}) {
        cache_.remove(kernel_id_of("good"));
        KernelExecutor executor(cache_, recovery_, {.mode = mode, .probation_runs = 3}, &table_);
        for (int i = 0; i < 6; ++i) {
            const ExecutionReport r = run(executor, "good", 1);
            ASSERT_FALSE(r.error) << r.error->to_string();
            EXPECT_TRUE(doubled());
            EXPECT_FALSE(r.identity);
            const bool want_guard =
                mode == ExecutionMode::kGuarded || (mode == ExecutionMode::kProbation && i < 3);
            EXPECT_EQ(r.guarded, want_guard) << "run " << i;
        }
        EXPECT_EQ(executor.stats().succeeded, 6u);
    }
    EXPECT_EQ(table_.read(1)->error_count, 0);
}

TEST_F(KernelExecutorTest, ACrashingKernelCostsItselfAndNothingElse) {
    for (const char* body : {"abort();", "*(volatile int*)8 = 1;", "exit(0);", "y[40] = 1;"}) {
        const std::string name = std::string("bad ") + body;
        add(name, body);
        KernelExecutor executor(cache_, recovery_);
        const ExecutionReport r = run(executor, name);
        EXPECT_TRUE(r.identity && r.evicted && r.guarded);
        EXPECT_TRUE(zeros());
        EXPECT_TRUE(cache_.is_banned(kernel_id_of(name)));
        EXPECT_TRUE(run(executor, name).error->is(CacheError::kBanned)) << "it never runs again";
        EXPECT_TRUE(zeros());
        EXPECT_EQ(executor.stats().evicted, 1u);
    }
}

TEST_F(KernelExecutorTest, AFatalFaultPutsTheSeedIntoErrorRecovery) {
    add("crash", "abort();");
    KernelExecutor executor(cache_, recovery_, {}, &table_);
    EXPECT_TRUE(run(executor, "crash", 1).identity);
    const SeedRecord row = *table_.read(1);
    EXPECT_EQ(row.state, kErrorRecovery);
    EXPECT_EQ(row.error_count, 1);
    EXPECT_EQ(row.last_update_epoch, 5u);
    EXPECT_EQ(row.flags & kFallbackActive, kFallbackActive);
}

TEST_F(KernelExecutorTest, AHangEndsAtItsDeadline) {
    add("hang", "for (;;) {}");
    KernelExecutor executor(cache_, recovery_);
    const ExecutionReport r = run(executor, "hang", {}, std::chrono::milliseconds(50));
    EXPECT_TRUE(r.error->is(KernelError::kTimedOut));
    EXPECT_TRUE(r.identity && r.evicted && zeros());
}

TEST_F(KernelExecutorTest, InProcessALateKernelsOutputIsNotUsed) {
    add("late", "usleep(3000); like(out, in); y[0] = y[1] = y[2] = 1;");
    KernelExecutor executor(cache_, recovery_, {.mode = ExecutionMode::kInProcess});
    const ExecutionReport r = run(executor, "late", {}, std::chrono::milliseconds(1));
    EXPECT_TRUE(r.error->is(KernelError::kTimedOut));
    EXPECT_TRUE(r.identity && zeros());
}

TEST_F(KernelExecutorTest, ThreeLesserFaultsEvict) {
    const std::map<std::string, KernelError> bodies = {
        {"like(out, in); y[0] = NAN; y[1] = y[2] = 0;", KernelError::kNotFinite},
        {"like(out, in); y[0] = 1 / 0.0f; y[1] = y[2] = 0;", KernelError::kNotFinite},
        {"return 4;", KernelError::kReturnedError},
        {"like(out, in); out->shape[0] = 5;", KernelError::kWrongShape},
        {"like(out, in); out->dtype = ESPER_F64;", KernelError::kWrongDtype},
    };
    for (auto mode : {ExecutionMode::kGuarded, ExecutionMode::kInProcess}) {
        for (const auto& [body, error] : bodies) {
            const std::string name = body + std::to_string(static_cast<int>(mode));
            add(name, body);
            KernelExecutor executor(cache_, recovery_, {.mode = mode});
            bool evicted = false;
            for (int i = 0; i < 3 && !evicted; ++i) {
                const ExecutionReport r = run(executor, name);
                EXPECT_TRUE(r.error->is(error)) << r.error->to_string();
                EXPECT_TRUE(r.identity && zeros());
                evicted = r.evicted;
            }
            EXPECT_TRUE(evicted);
            EXPECT_TRUE(cache_.is_banned(kernel_id_of(name)));
        }
    }
}

TEST_F(KernelExecutorTest, AKernelThatIsNotThereIsTheIdentity) {
    KernelExecutor executor(cache_, recovery_);
    const ExecutionReport r = run(executor, "none");
    EXPECT_TRUE(r.identity && zeros() && !r.evicted);
    EXPECT_EQ(r.recovery.strategy, Strategy::kRetry);
    EXPECT_EQ(r.recovery.attempts, 3u);
}

TEST_F(KernelExecutorTest, AnUnsignedKernelNeverRuns) {
    add("tampered", kDouble);
    library_[kernel_id_of("tampered")].back() ^= 1;
    KernelExecutor executor(cache_, recovery_);
    const ExecutionReport r = run(executor, "tampered");
    EXPECT_TRUE(r.error->is(KernelError::kDigestMismatch));
    EXPECT_TRUE(r.identity && zeros());
}

TEST_F(KernelExecutorTest, ABadCallIsTheCallersErrorAndTheKernelStays) {
    add("good", kDouble);
    KernelExecutor executor(cache_, recovery_);
    in_.shape = {-3};
    for (int i = 0; i < 4; ++i) {
        EXPECT_TRUE(run(executor, "good").error->is(KernelError::kBadCall));
    }
    in_.shape = {3};
    EXPECT_FALSE(run(executor, "good").error);
}

TEST_F(KernelExecutorTest, ACacheOfOtherThingsIsRefused) {
    esper::testing::TestSource other;
    KernelCache cache({}, other);
    KernelExecutor executor(cache, recovery_);
    EXPECT_TRUE(run(executor, "x").error->is(KernelError::kNotLoadable));
}

/// One class of error, injected once, with the expected strategy and result.
struct InjectedCase {
    const char* point;
    Error error;
    ErrorType type;
    Strategy strategy;
    bool identity;
};
Error blank(auto code) { return fail(code, "").value(); }
class Injected : public KernelExecutorTest, public ::testing::WithParamInterface<InjectedCase> {};
INSTANTIATE_TEST_SUITE_P(
    KernelExecutor, Injected,
    ::testing::Values(InjectedCase{"executor.execution", blank(KernelError::kReturnedError),
                                   ErrorType::kKernelExecution, Strategy::kFallback, true},
                      InjectedCase{"executor.loading", blank(KernelError::kNotLoadable),
                                   ErrorType::kKernelLoading, Strategy::kRetry, false},
                      InjectedCase{"executor.validation", blank(KernelError::kNotFinite),
                                   ErrorType::kKernelValidation, Strategy::kDegrade, false},
                      InjectedCase{"executor.memory", blank(KernelError::kOutOfMemory),
                                   ErrorType::kMemoryOverflow, Strategy::kCircuitBreaker, false},
                      InjectedCase{"executor.device", blank(KernelError::kDevice),
                                   ErrorType::kDeviceError, Strategy::kEscalate, true},
                      InjectedCase{"executor.network", blank(KernelError::kNetwork),
                                   ErrorType::kNetworkError, Strategy::kRetry, false},
                      InjectedCase{"executor.breaker", blank(RecoveryError::kBreakerOpen),
                                   ErrorType::kCircuitBreaker, Strategy::kDegrade, false},
                      InjectedCase{"executor.timeout", blank(KernelError::kTimedOut),
                                   ErrorType::kTimeout, Strategy::kRetry, true},
                      InjectedCase{"executor.unknown", blank(KernelError::kUnknown),
                                   ErrorType::kUnknown, Strategy::kFallback, true}),
    [](const auto& injected) { return std::string(to_text(injected.param.type)); });

TEST_P(Injected, EveryClassIsMetByItsStrategyAndTrainingGoesOn) {
    const InjectedCase& c = GetParam();
    add("good", kDouble);
    KernelExecutor executor(cache_, recovery_);
    ASSERT_TRUE(FaultPoints::arm(std::string(c.point) + "@1"));
    const ExecutionReport r = run(executor, "good");
    ASSERT_TRUE(r.error);
    EXPECT_EQ(r.error->room(), c.error.room());
    EXPECT_EQ(r.error->name(), c.error.name());
    EXPECT_EQ(classify(*r.error), c.type);
    EXPECT_EQ(r.recovery.strategy, c.strategy);
    EXPECT_EQ(r.identity, c.identity);
    EXPECT_EQ(c.identity ? zeros() : doubled(), true);
    EXPECT_EQ(r.recovery.attempts >= 1, !c.identity || c.strategy == Strategy::kRetry);
    EXPECT_EQ(told_.size(), c.strategy == Strategy::kEscalate ? 1u : 0u);
    EXPECT_EQ(recovery_.stats().by_type[static_cast<std::size_t>(c.type)], 1u);
}

TEST_F(KernelExecutorTest, DegradationPutsAKernelBackUnderGuard) {
    add("good", kDouble);
    KernelExecutor executor(cache_, recovery_, {.probation_runs = 1});
    EXPECT_TRUE(run(executor, "good").guarded);
    EXPECT_FALSE(run(executor, "good").guarded);
    ASSERT_TRUE(FaultPoints::arm("executor.validation@1"));
    const ExecutionReport r = run(executor, "good");
    EXPECT_TRUE(r.guarded && !r.identity && doubled());
}

TEST_F(KernelExecutorTest, TheReadingFeedsTheHealthMonitor) {
    add("good", kDouble);
    KernelExecutor executor(cache_, recovery_, {.mode = ExecutionMode::kInProcess});
    HealthMonitor monitor([&] { return executor.reading(); }, {}, clock_);
    for (int i = 0; i < 10; ++i) EXPECT_FALSE(run(executor, "good").error);
    ASSERT_TRUE(FaultPoints::arm("executor.execution@1"));
    EXPECT_TRUE(run(executor, "good").error);
    clock_.advance(std::chrono::seconds(10));
    const auto report = monitor.poll();
    EXPECT_NEAR(*report->error_rate, 1.0 / 11, 1e-9);
    EXPECT_EQ(report->breaches.front(), HealthBreach::kErrorRate);
    EXPECT_EQ(executor.stats().errors.at("ReturnedError"), 1u);
}

}  // namespace
}  // namespace esper::execution
