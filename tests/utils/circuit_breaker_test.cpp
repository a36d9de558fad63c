#include "esper/utils/circuit_breaker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <thread>
#include <vector>

namespace esper::utils {
namespace {

using namespace std::chrono_literals;

Status down() { return fail(BreakerError::kTimedOut, "the other side is down"); }

class Breaker : public testing::Test {
  protected:
    ManualClock clock{1'000'000'000};
    CircuitBreaker breaker{"urza",
                           {.failure_threshold = 3,
                            .recovery_timeout = 10s,
                            .success_threshold = 2,
                            .call_timeout = 5s,
                            .half_open_calls = 1},
                           clock};

    Status succeed() {
        return breaker.run([] { return Status(); });
    }
    Status fail_once() { return breaker.run(down); }
    void open() {
        for (int i = 0; i < 3; ++i) EXPECT_FALSE(fail_once());
        ASSERT_EQ(breaker.state(), BreakerState::kOpen);
    }
};

TEST_F(Breaker, OpensAfterConsecutiveFailuresOnly) {
    fail_once();
    fail_once();
    EXPECT_TRUE(succeed());
    fail_once();
    fail_once();
    EXPECT_EQ(breaker.state(), BreakerState::kClosed);
    fail_once();
    EXPECT_EQ(breaker.state(), BreakerState::kOpen);
}

TEST_F(Breaker, RefusesWithoutCallingWhileOpen) {
    open();
    clock.advance(9s);
    bool called = false;
    const Status s = breaker.run([&] {
        called = true;
        return Status();
    });
    EXPECT_FALSE(called);
    ASSERT_FALSE(s);
    EXPECT_TRUE(s.error().is(BreakerError::kOpen));
    EXPECT_NE(s.error().message().find("urza has been failing; the next try is in 1.0 s"),
              std::string::npos)
        << s.error().message();
}

TEST_F(Breaker, ClosesAfterEnoughSuccessfulTrials) {
    open();
    clock.advance(10s);
    EXPECT_TRUE(succeed());
    EXPECT_EQ(breaker.state(), BreakerState::kHalfOpen);
    EXPECT_TRUE(succeed());
    EXPECT_EQ(breaker.state(), BreakerState::kClosed);
}

TEST_F(Breaker, OneFailedTrialOpensItForAnotherTerm) {
    open();
    clock.advance(10s);
    EXPECT_TRUE(succeed());
    fail_once();
    EXPECT_EQ(breaker.state(), BreakerState::kOpen);
    clock.advance(9s);
    EXPECT_TRUE(succeed().error().is(BreakerError::kOpen));
    clock.advance(1s);
    EXPECT_TRUE(succeed());
    EXPECT_EQ(breaker.statistics().total_circuit_opens, 2u);
}

TEST_F(Breaker, LetsOnlyTheAllowedTrialsRunAtTheSameTime) {
    open();
    clock.advance(10s);
    auto first = breaker.acquire();
    ASSERT_TRUE(first);
    const auto second = breaker.acquire();
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message().find("a trial call is under way"), std::string::npos);
    EXPECT_TRUE(first->succeed());
    EXPECT_TRUE(breaker.acquire());
}

TEST_F(Breaker, ACallThatComesBackTooLateCountsAsATimeout) {
    const auto late = breaker.run([&]() -> Result<int> {
        clock.advance(6s);
        return 7;
    });
    ASSERT_FALSE(late);
    EXPECT_TRUE(late.error().is(BreakerError::kTimedOut));
    EXPECT_EQ(breaker.statistics().total_timeouts, 1u);
    EXPECT_EQ(breaker.statistics().failure_count, 1u);
}

TEST_F(Breaker, ErrorsThatDoNotSpeakOfTheOtherSidesHealthPassThrough) {
    for (int i = 0; i < 10; ++i) {
        const Status s = breaker.run(down, [](const Error&) { return false; });
        EXPECT_FALSE(s);
    }
    EXPECT_EQ(breaker.state(), BreakerState::kClosed);
}

TEST_F(Breaker, AnAbandonedPermitIsAFailure) {
    { auto permit = breaker.acquire(); }
    EXPECT_EQ(breaker.statistics().total_failures, 1u);
}

TEST_F(Breaker, ResultsFromBeforeAChangeOfStateChangeNothing) {
    auto early = breaker.acquire();
    open();
    clock.advance(10s);
    EXPECT_TRUE(succeed());
    early->fail_call();
    EXPECT_EQ(breaker.state(), BreakerState::kHalfOpen);
    EXPECT_EQ(breaker.statistics().total_failures, 4u);
    EXPECT_TRUE(early->succeed());
}

TEST_F(Breaker, ResetClosesItAndKeepsTheTotals) {
    open();
    breaker.reset();
    EXPECT_TRUE(succeed());
    const BreakerStatistics s = breaker.statistics();
    EXPECT_EQ(s.state, BreakerState::kClosed);
    EXPECT_EQ(breaker_state_name(s.state), "closed");
    EXPECT_EQ(s.name, "urza");
    EXPECT_EQ(s.total_requests, 4u);
    EXPECT_EQ(s.total_failures, 3u);
    EXPECT_EQ(s.total_successes, 1u);
    EXPECT_EQ(s.last_failure_utc_ns, 1'000'000'000);
}

// Two calls are held inside the breaker until others have been turned away, so that they do
// overlap.
TEST(BreakerThreads, LetAsManyTrialsRunAsAllowedAndTurnTheOthersAway) {
    CircuitBreaker breaker("x", {.failure_threshold = 1,
                                 .recovery_timeout = 0ns,
                                 .success_threshold = 1'000'000,
                                 .half_open_calls = 2});
    static_cast<void>(breaker.run(down));
    std::latch inside(2);
    std::latch leave(1);
    std::vector<std::thread> held;
    std::atomic<int> finished{0};
    for (int t = 0; t < 2; ++t) {
        held.emplace_back([&] {
            EXPECT_TRUE(breaker.run([&] {
                inside.count_down();
                leave.wait();
                return Status();
            }));
            ++finished;
        });
    }
    inside.wait();
    std::atomic<int> entered{0};
    std::vector<std::thread> others;
    for (int t = 0; t < 4; ++t) {
        others.emplace_back([&] {
            for (int i = 0; i < 500; ++i) {
                EXPECT_FALSE(breaker.run([&] {
                    ++entered;
                    return Status();
                }));
            }
        });
    }
    for (auto& t : others) t.join();
    EXPECT_EQ(entered.load(), 0);
    EXPECT_EQ(finished.load(), 0);
    EXPECT_EQ(breaker.statistics().total_rejected, 2000U);
    leave.count_down();
    for (auto& t : held) t.join();
    EXPECT_EQ(finished.load(), 2);
    EXPECT_TRUE(breaker.run([] { return Status(); })) << "there is room again";
}

TEST(BreakerThreads, NeverLetMoreTrialsRunThanAllowed) {
    CircuitBreaker breaker("x", {.failure_threshold = 1,
                                 .recovery_timeout = 0ns,
                                 .success_threshold = 1'000'000,
                                 .half_open_calls = 2});
    static_cast<void>(breaker.run(down));
    std::atomic<int> running{0};
    std::atomic<int> most{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 5000; ++i) {
                static_cast<void>(breaker.run([&] {
                    const int now = ++running;
                    int seen = most.load();
                    while (seen < now && !most.compare_exchange_weak(seen, now)) {
                    }
                    // Gives the others the processor while it is inside: trials overlap even on one
                    // core.
                    if (i % 16 == 0) std::this_thread::sleep_for(std::chrono::microseconds(20));
                    --running;
                    return Status();
                }));
            }
        });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(most.load(), 2) << "fewer: they did not overlap, and the test shows nothing";
    const BreakerStatistics s = breaker.statistics();
    EXPECT_EQ(s.total_requests, 20'001u);
    EXPECT_EQ(s.total_successes + s.total_rejected + s.total_failures, s.total_requests);
}

}  // namespace
}  // namespace esper::utils
