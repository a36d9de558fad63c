#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "esper/base/random.h"
#include "esper/execution/states/state_layout.h"
#include "execution/states/scale.h"

namespace esper::execution {
namespace {

using enum contracts::SeedState;

/// One seed's whole life and back to DORMANT; the number of moves it takes.
constexpr SeedState kLife[] = {kGerminated, kLoading, kTraining, kGrafting, kCulled, kDormant};

TEST(StateLayoutConcurrency, WritersOfOneSeedLoseNothing) {
    StateTable table(1);
    for (SeedState s : {kGerminated, kLoading, kTraining}) {
        ASSERT_TRUE(table.transition({.seed = 0, .to = s, .kernel_id = 1}));
    }
    constexpr unsigned kEach = 5000;
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&] {
            for (unsigned i = 0; i < kEach; ++i) (void)table.record_error(0, i);
        });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(table.read(0)->error_count, 3 * kEach);
    EXPECT_TRUE(table.verify());
}

TEST(StateLayoutConcurrency, SnapshotsStayOfOneMomentWhileWritersAndTheBoundaryRun) {
    // Seeds 2k and 2k+1 move together at boundaries only, so a snapshot must find them equal; the
    // other threads write telemetry to all of them and move the last two on their own.
    constexpr std::uint32_t kSeeds = 18;
    StateTable table(kSeeds);
    std::atomic<bool> stop{false};
    std::thread telemetry([&] {
        for (std::uint32_t i = 0; !stop.load(); ++i) (void)table.record(i % kSeeds, 0.5f, i, i);
    });
    std::thread lonely([&] {
        for (std::size_t i = 0; !stop.load(); ++i) {
            for (std::uint32_t s : {kSeeds - 2, kSeeds - 1}) {
                (void)table.transition({.seed = s, .to = kLife[i % 6], .kernel_id = i + 1});
            }
        }
    });
    std::thread boundary([&] {
        for (std::uint32_t i = 0; !stop.load(); ++i) {
            for (std::uint32_t s = 0; s < kSeeds - 2; ++s) {
                (void)table.enqueue({.seed = s, .to = kLife[i % 6], .kernel_id = i + 1});
            }
            EXPECT_EQ(table.apply_pending(i).applied(), kSeeds - 2);
        }
    });
    StateSnapshot s;
    for (std::uint64_t i = 0; i < esper::testing::scaled(20'000); ++i) {
        table.snapshot(s);
        for (std::uint32_t p = 1; p < kSeeds - 2; ++p) {
            ASSERT_EQ(s.state[p], s.state[0]);
            ASSERT_EQ(s.kernel_id[p], s.kernel_id[0]);
        }
        std::uint32_t sum = 0;
        for (std::uint32_t c : table.counts()) sum += c;
        ASSERT_EQ(sum, kSeeds);
    }
    stop = true;
    telemetry.join(), lonely.join(), boundary.join();
    EXPECT_TRUE(table.verify());
}

TEST(StateLayoutConcurrency, CommandsOfManyProducersAllArrive) {
    StateTable table(64, 64);
    std::atomic<int> accepted{0};
    std::atomic<bool> done{false};
    std::vector<std::thread> producers;
    for (int t = 0; t < 3; ++t) {
        producers.emplace_back([&, t] {
            RandomStream random(5, "producers", 0, static_cast<std::uint32_t>(t));
            for (int i = 0; i < 5000; ++i) {
                const auto s = static_cast<std::uint32_t>(random.below(64));
                if (table.enqueue({.seed = s, .to = kGerminated, .kernel_id = 1})) ++accepted;
            }
        });
    }
    std::size_t seen = 0;
    std::thread consumer([&] {
        while (!done.load()) seen += table.apply_pending(1).outcomes.size();
        seen += table.apply_pending(1).outcomes.size();
    });
    for (auto& p : producers) p.join();
    done = true;
    consumer.join();
    EXPECT_EQ(seen, static_cast<std::size_t>(accepted.load()));
    EXPECT_GT(accepted.load(), 0);
}

}  // namespace
}  // namespace esper::execution
