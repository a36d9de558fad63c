#include "esper/engine/waiting_threads.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

namespace esper::graph {
namespace {

using namespace std::chrono_literals;

TEST(BusyMachine, IsBusyWhenOneThreadWaitsForMoreThanATenthOfTheTime) {
    BusyMachine machine;
    EXPECT_EQ(machine.observe({{1, 100}, {2, 500}}, 200ms), 0)
        << "there is nothing to compare with";
    EXPECT_DOUBLE_EQ(machine.observe({{1, 100 + 18'000'000}, {2, 500}}, 200ms), 0.09);
    EXPECT_FALSE(machine.is_busy());
    machine.observe({{1, 100 + 18'000'000}, {2, 500 + 22'000'000}}, 200ms);
    EXPECT_TRUE(machine.is_busy());
}

TEST(BusyMachine, IsCalmAgainAfterHalfACalmMinuteInARow) {
    BusyMachine machine;
    std::uint64_t waited = 0;
    const auto look = [&](std::uint64_t percent) {
        waited += percent * 150'000'000;
        machine.observe({{1, waited}}, 15s);
        return machine.is_busy();
    };
    look(0);
    EXPECT_TRUE(look(50));
    EXPECT_TRUE(look(1));
    EXPECT_TRUE(look(5)) << "neither busy nor calm: it stays and counts anew";
    EXPECT_TRUE(look(1));
    EXPECT_FALSE(look(1));
}

TEST(BusyMachine, AThreadThatIsNewOrEndedSaysNothing) {
    BusyMachine machine;
    machine.observe({{1, 0}}, 1s);
    EXPECT_EQ(machine.observe({{2, 900'000'000}}, 1s), 0);
    EXPECT_FALSE(machine.is_busy());
}

class BusyThreads {
  public:
    explicit BusyThreads(unsigned n) {
        for (unsigned i = 0; i < n; ++i)
            threads_.emplace_back([this] {
                while (!ended_.load(std::memory_order_relaxed)) {
                }
            });
    }
    ~BusyThreads() {
        ended_ = true;
        for (std::thread& thread : threads_) thread.join();
    }

  private:
    std::atomic<bool> ended_{false};
    std::vector<std::thread> threads_;
};

/// Adds up in parallel regions until `done` or half a minute is over.
template <typename Done>
bool work_until(Done done) {
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (!done() && std::chrono::steady_clock::now() < end) {
        std::vector<double> sums(2);
        at::parallel_for(0, 2, 1, [&](std::int64_t from, std::int64_t to) {
            for (auto i = from; i < to; ++i)
                for (int k = 0; k < 10'000; ++k) sums[static_cast<std::size_t>(i)] += k;
        });
        EXPECT_EQ(sums, std::vector<double>(2, 49'995'000.0));
    }
    return done();
}

TEST(WaitingThreads, GiveWayWhileOthersWantTheProcessors) {
    if (run_delays().empty()) GTEST_SKIP() << "this system keeps no account of waiting threads";
    unsetenv("OMP_WAIT_POLICY");
    unsetenv("GOMP_SPINCOUNT");
    at::set_num_threads(2);
    WaitingThreads waiting(2);
    EXPECT_FALSE(waiting.give_way());
    const BusyThreads others(2 * std::thread::hardware_concurrency());
    EXPECT_TRUE(work_until([&] { return waiting.give_way(); }));
}

TEST(WaitingThreads, LeaveAUsersChoiceAlone) {
    setenv("GOMP_SPINCOUNT", "5", 1);
    {
        WaitingThreads waiting(2);
        const BusyThreads others(2 * std::thread::hardware_concurrency());
        const auto end = std::chrono::steady_clock::now() + 1s;
        EXPECT_FALSE(work_until([&] { return std::chrono::steady_clock::now() > end; }) &&
                     waiting.give_way());
    }
    unsetenv("GOMP_SPINCOUNT");
}

}  // namespace
}  // namespace esper::graph
