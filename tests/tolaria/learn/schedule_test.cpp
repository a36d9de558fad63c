#include "esper/services/tolaria/learn/schedule.h"

#include <gtest/gtest.h>

namespace esper::tolaria {
namespace {

using configs::Schedule;

LearningRateSchedule of_kind(Schedule kind) {
    return {.kind = kind, .peak = 0.4, .total_steps = 1000, .warmup_steps = 100, .cooldown = 0.2};
}

TEST(Schedule, WarmUpRisesStepByStepToThePeak) {
    for (const auto& entry : contracts::enum_entries<Schedule>()) {
        if (entry.value == Schedule::kOneCycle) continue;  // rises along a cosine, below
        const auto s = of_kind(entry.value);
        EXPECT_DOUBLE_EQ(learning_rate(s, 0), 0.004) << entry.text;
        EXPECT_DOUBLE_EQ(learning_rate(s, 49), 0.2) << entry.text;
        EXPECT_DOUBLE_EQ(learning_rate(s, 99), 0.4) << entry.text;
        EXPECT_DOUBLE_EQ(learning_rate(s, 100), 0.4) << entry.text;
    }
}

TEST(Schedule, OneCycleRisesFromATwentyFifthAndEndsAtATenThousandthOfThat) {
    const auto s = of_kind(Schedule::kOneCycle);
    EXPECT_DOUBLE_EQ(learning_rate(s, 0), 0.4 / 25);
    EXPECT_DOUBLE_EQ(learning_rate(s, 99), 0.4);
    EXPECT_NEAR(learning_rate(s, 999), 0.4 / 25 / 1e4, 1e-12);
    for (std::uint64_t step = 1; step < 1000; ++step) {
        if (step <= 99)
            EXPECT_GT(learning_rate(s, step), learning_rate(s, step - 1)) << step;
        else
            EXPECT_LT(learning_rate(s, step), learning_rate(s, step - 1)) << step;
    }
}

TEST(Schedule, TheConstantPartEndsInALinearCoolDown) {
    const auto s = of_kind(Schedule::kWarmupConstantCooldown);
    EXPECT_EQ(s.cooldown_begin(), 800U);
    EXPECT_DOUBLE_EQ(learning_rate(s, 799), 0.4);
    EXPECT_DOUBLE_EQ(learning_rate(s, 900), 0.2);
    EXPECT_DOUBLE_EQ(learning_rate(s, 999), 0.4 / 200);
    EXPECT_EQ(learning_rate(s, 1000), 0);
    EXPECT_DOUBLE_EQ(learning_rate(of_kind(Schedule::kConstant), 999), 0.4);
}

TEST(Schedule, CosineIsAtHalfItsPeakHalfWay) {
    const auto s = of_kind(Schedule::kCosine);
    EXPECT_NEAR(learning_rate(s, 550), 0.2, 1e-12);
    EXPECT_GT(learning_rate(s, 999), 0);
    for (std::uint64_t step = 100; step < 999; ++step)
        ASSERT_GT(learning_rate(s, step), learning_rate(s, step + 1));
}

TEST(Schedule, EveryStepOfAnyRunHasAPositiveFiniteRate) {
    for (const auto& entry : contracts::enum_entries<Schedule>()) {
        for (std::uint64_t total = 1; total < 30; ++total) {
            for (std::uint64_t warmup = 0; warmup <= 30; warmup += 5) {
                const LearningRateSchedule s{entry.value, 1.0, total, warmup, 0.5};
                for (std::uint64_t step = 0; step < total; ++step) {
                    const double rate = learning_rate(s, step);
                    ASSERT_TRUE(rate > 0 && rate <= 1) << entry.text << total << warmup << step;
                }
            }
        }
    }
}

TEST(Schedule, NothingGrowsBehindTheStopNorInTheCoolDown) {
    auto s = of_kind(Schedule::kWarmupConstantCooldown);
    EXPECT_TRUE(may_grow(s, 799, 0.9));
    EXPECT_FALSE(may_grow(s, 800, 0.9));
    EXPECT_FALSE(may_grow(s, 701, 0.7));
    s.kind = Schedule::kCosine;
    EXPECT_TRUE(may_grow(s, 500, 0.8));
    EXPECT_FALSE(may_grow(s, 501, 0.8));
}

TEST(Schedule, ANewbornLearnsFasterForItsTerm) {
    EXPECT_EQ(newborn_factor(1.3, 250, 0), 1.3);
    EXPECT_EQ(newborn_factor(1.3, 250, 249), 1.3);
    EXPECT_EQ(newborn_factor(1.3, 250, 250), 1.0);
}

}  // namespace
}  // namespace esper::tolaria
