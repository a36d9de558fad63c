#include "esper/services/urabrask/measure.h"

#include <gtest/gtest.h>

namespace esper::urabrask {
namespace {

void work(int units) {
    volatile double sum = 0;
    for (int i = 0; i < units * 20000; ++i) sum = sum + 1.0 / (i + 1);
}

// Conover, Practical Nonparametric Statistics, table of the sign test.
TEST(Measure, TheMediansIntervalHasTheRanksOfTheSignTest) {
    EXPECT_EQ(median_ranks(5), (std::pair<int, int>{0, 4}));
    EXPECT_EQ(median_ranks(10), (std::pair<int, int>{1, 8}));
    EXPECT_EQ(median_ranks(25), (std::pair<int, int>{7, 17}));
}

TEST(Measure, WhatDoesThreeTimesTheWorkIsFoundSlowerBeyondDoubt) {
    const auto times = measure_pair([] { work(1); }, [] { work(3); }, 15, 1.0);
    EXPECT_GT(times.low, 1.5);
    EXPECT_LT(times.low, times.ratio + 1e-9);
    EXPECT_LT(times.ratio, times.high + 1e-9);
}

TEST(Measure, TheSameWorkIsNotFoundFaster) {
    const auto times = measure_pair([] { work(1); }, [] { work(1); }, 25, 1.0);
    EXPECT_LT(times.low, 1.03);
    EXPECT_GT(times.high, 0.97);
}

TEST(Measure, ASmallBudgetLeavesSevenRounds) {
    EXPECT_EQ(measure_pair([] { work(1); }, [] { work(1); }, 25, 1e-6).rounds, 7);
}

TEST(Measure, ThePercentileIsAValueThatOccurred) {
    std::vector<double> values;
    for (int i = 200; i >= 1; --i) values.push_back(i);
    EXPECT_EQ(nearest_rank(values, 0.99), 198);
    EXPECT_EQ(nearest_rank({5, 4}, 0.99), 5);
    EXPECT_EQ(nearest_rank({5, 4}, 0), 4);
}

TEST(Measure, CallsAreTimedOneByOneWithinTheBudget) {
    int done = 0;
    const auto all = measure_calls([&] { ++done; }, 40, 1.0);
    EXPECT_EQ(all.calls, 40);
    EXPECT_EQ(done, 40);
    const auto few = measure_calls([] { work(5); }, 1000, 1e-6);
    EXPECT_EQ(few.calls, 25);
    EXPECT_GT(few.p99_seconds, 0);
}

}  // namespace
}  // namespace esper::urabrask
