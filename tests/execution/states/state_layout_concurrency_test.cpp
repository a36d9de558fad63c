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

TEST(StateLayoutConcurrency, SnapshotsStayOfOneMomentWhileWritersRun) {
    // One thread moves the seeds in their order, so that no moment has a seed ahead of the one
    // before it; the others write telemetry to all of them and move the last two on their own.
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
    std::thread in_order([&] {
        for (std::uint32_t i = 0; !stop.load(); ++i) {
            for (std::uint32_t s = 0; s < kSeeds - 2; ++s)
                EXPECT_TRUE(
                    table.transition({.seed = s, .to = kLife[i % 6], .kernel_id = i / 6 + 1}));
        }
    });
    StateSnapshot s;
    for (std::uint64_t i = 0; i < esper::testing::scaled(20'000); ++i) {
        table.snapshot(s);
        for (std::uint32_t p = 1; p < kSeeds - 2; ++p) {
            ASSERT_LE(s.transitions[p], s.transitions[p - 1]);
            ASSERT_LE(s.transitions[0], s.transitions[p] + 1);
        }
    }
    stop = true;
    telemetry.join(), lonely.join(), in_order.join();
    EXPECT_TRUE(table.verify());
}

}  // namespace
}  // namespace esper::execution
