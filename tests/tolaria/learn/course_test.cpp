#include "esper/services/tolaria/learn/course.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace esper::tolaria {
namespace {

using configs::Budget;
using configs::Schedule;

constexpr double kStep = 1e9;  // FLOPs

LearningRateSchedule schedule(Schedule kind = Schedule::kWarmupConstantCooldown) {
    return {.kind = kind, .peak = 0.4, .total_steps = 1000, .warmup_steps = 100, .cooldown = 0.6};
}

Course of_flops(double amount, Schedule kind = Schedule::kWarmupConstantCooldown,
                const std::vector<Budget>& smaller = {}) {
    return {schedule(kind), {amount, Budget::Of::kFlops}, smaller};
}

TEST(Course, TheRateFollowsTheFormulaOfWhatIsSpentAlsoWhereAStepGetsDearer) {
    auto course = of_flops(1000 * kStep);
    double spent = 0;
    std::int64_t step = 0;
    for (; !course.is_over(step, spent); ++step) {
        const double cost = step < 300 ? kStep : 2.5 * kStep;  // it grew at step 300
        course.note(step, spent, cost);
        const double share = spent / (1000 * kStep);
        const double warmup = std::min(1.0, static_cast<double>(step + 1) / 100);
        const double cooldown = std::min(1.0, (1 - share) / 0.6);
        EXPECT_NEAR(course.rate(step), 0.4 * warmup * cooldown, 1e-12) << step;
        EXPECT_GT(course.rate(step), 0) << step;
        EXPECT_NEAR(course.share(step), share, 1e-12);
        spent += cost;
    }
    EXPECT_EQ(step, 300 + 280);  // what was left paid for 280 steps at the higher price
    EXPECT_LE(course.marks().size(), 2U) << "one mark for each price is enough";
}

TEST(Course, WhatMeasuringCostsMovesTheScheduleOnAsTrainingDoes) {
    auto course = of_flops(1000 * kStep);
    course.note(0, 0, kStep);
    course.note(200, 300 * kStep, kStep);  // a hundred steps' worth of measurements
    EXPECT_DOUBLE_EQ(course.spent_at(199), 199 * kStep);
    EXPECT_DOUBLE_EQ(course.spent_at(200), 300 * kStep);
    EXPECT_DOUBLE_EQ(course.share(250), 0.35);
    EXPECT_EQ(course.total_steps(200), 900);
    EXPECT_EQ(course.steps_left(200, 7 * kStep), 100);
}

TEST(Course, ACosineFallsFromTheEndOfTheWarmUpToTheEndOfTheBudget) {
    auto course = of_flops(1000 * kStep, Schedule::kCosine);
    course.note(0, 0, kStep);
    EXPECT_DOUBLE_EQ(course.rate(49), 0.2);
    EXPECT_DOUBLE_EQ(course.rate(100), 0.4);
    EXPECT_NEAR(course.rate(550), 0.2, 1e-12);
    EXPECT_NEAR(course.rate(775), 0.2 * (1 + std::cos(0.75 * std::numbers::pi)), 1e-12);
    EXPECT_EQ(course.rate(1000), 0);
}

TEST(Course, GrowthEndsWithTheConstantPartOfTheBudget) {
    auto course = of_flops(1000 * kStep);
    course.note(0, 0, kStep);
    EXPECT_TRUE(course.may_grow(399, 1));
    EXPECT_FALSE(course.may_grow(400, 1));
    EXPECT_FALSE(course.may_grow(300, 0.25));
}

TEST(Course, SaysOnceWhereTheCoolDownOfASmallerBudgetBegins) {
    auto course =
        of_flops(1000 * kStep, Schedule::kWarmupConstantCooldown,
                 {{500 * kStep, Budget::Of::kFlops}, {250.5 * kStep, Budget::Of::kFlops}});
    std::vector<std::int64_t> begins;
    for (std::int64_t step = 0; step < 1000; ++step)
        if (course.note(step, static_cast<double>(step) * kStep, kStep)) begins.push_back(step);
    // The first steps before which 0.4 of the budget was spent.
    EXPECT_EQ(begins, (std::vector<std::int64_t>{101, 200}));
}

TEST(Course, SeesTheCoolDownOfASmallerBudgetComing) {
    // That of 500 steps begins at step 200.
    auto course = of_flops(1000 * kStep, Schedule::kWarmupConstantCooldown,
                           {{500 * kStep, Budget::Of::kFlops}});
    EXPECT_FALSE(course.keeps_within(0, 1000)) << "nothing is noted yet";
    for (std::int64_t step = 0; step <= 250; ++step) {
        course.note(step, static_cast<double>(step) * kStep, kStep);
        EXPECT_EQ(course.keeps_within(step, 50), step >= 150 && step < 200) << step;
    }
    EXPECT_FALSE(of_flops(1000 * kStep).keeps_within(0, 1000));
}

TEST(Course, RestoredAtAStepItGoesOnAsOneThatWasNeverInterrupted) {
    auto whole = of_flops(1000 * kStep, Schedule::kWarmupConstantCooldown,
                          {{500 * kStep, Budget::Of::kFlops}});
    auto parts = whole;
    for (std::int64_t step = 0; step < 1000; ++step) {
        const double spent = static_cast<double>(step) * kStep;
        auto again = of_flops(1000 * kStep, Schedule::kWarmupConstantCooldown,
                              {{500 * kStep, Budget::Of::kFlops}});
        again.restore(parts.marks());
        parts = again;
        ASSERT_EQ(whole.note(step, spent, kStep), parts.note(step, spent, kStep)) << step;
        ASSERT_EQ(whole.rate(step), parts.rate(step)) << step;
    }
}

TEST(Course, ByTheClockTheWarmUpIsAShareOfTheTime) {
    auto by_clock = schedule();
    by_clock.total_steps = 0;
    by_clock.warmup_steps = 0;
    by_clock.warmup_share = 0.1;
    Course course(by_clock, {100, Budget::Of::kSeconds});
    course.note(0, 0, 0);
    EXPECT_GT(course.rate(0), 0);
    EXPECT_LT(course.rate(0), 0.01);
    course.note(1, 5, 0);
    EXPECT_NEAR(course.rate(1), 0.2, 0.01);
    course.note(2, 30, 0);
    EXPECT_DOUBLE_EQ(course.rate(2), 0.4);
    course.note(3, 70, 0);
    EXPECT_NEAR(course.rate(3), 0.2, 1e-12);
    EXPECT_EQ(course.total_steps(3), 5);
    EXPECT_FALSE(course.is_over(3, 99.9));
    EXPECT_TRUE(course.is_over(3, 100));
}

TEST(Course, WithoutABudgetItIsTheScheduleOfTheSteps) {
    const auto by_steps = schedule();
    const Course course(by_steps, {});
    for (std::uint64_t step = 0; step <= 1000; step += 7) {
        const auto i = static_cast<std::int64_t>(step);
        EXPECT_EQ(course.rate(i), learning_rate(by_steps, step));
        EXPECT_EQ(course.may_grow(i, 0.3), may_grow(by_steps, step, 0.3));
        EXPECT_EQ(course.total_steps(i), 1000);
    }
    EXPECT_TRUE(course.is_over(1000, 0));
}

TEST(Course, StepsThatAreLeftCostWhatTheirShareOfTheBudgetIsKnownToCost) {
    auto course = of_flops(100 * kStep);
    const std::vector<Course::Price> prices{{0, 1}, {0.5, 4}};
    course.note(0, 0, kStep);
    EXPECT_EQ(course.total_steps(0), 100);
    course.expect(prices);
    EXPECT_EQ(course.total_steps(0), 50 + 13) << "the second half pays for 12.5 steps";
    course.note(20, 20 * kStep, kStep);
    EXPECT_EQ(course.steps_left(20, kStep), 30 + 13);
    EXPECT_EQ(course.steps_left(20, 2 * kStep), 15 + 7) << "a network of twice the cost";
    course.note(50, 50 * kStep, 4 * kStep);
    EXPECT_EQ(course.steps_left(50, 4 * kStep), 13);
    EXPECT_DOUBLE_EQ(steps_at(prices, 800, 2), 200 + 50);
    EXPECT_DOUBLE_EQ(steps_at({{0, 1}}, 800, 2), 400);
}

TEST(Course, WithoutNamesTheHalvesOfTheBudgetAreKept) {
    std::vector<double> kept;
    for (const auto& budget : kept_budgets({16, Budget::Of::kFlops}, {}))
        kept.push_back(budget.amount);
    EXPECT_EQ(kept, (std::vector<double>{8, 4, 2, 1}));
    EXPECT_EQ(kept_budgets({16, Budget::Of::kFlops}, {"3"}).size(), 1U);
    EXPECT_TRUE(kept_budgets({}, {}).empty());
}

}  // namespace
}  // namespace esper::tolaria
