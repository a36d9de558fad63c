#include "esper/services/tolaria/data/batch_plan.h"

#include <gtest/gtest.h>

#include <set>

namespace esper::tolaria {
namespace {

using Indices = std::vector<std::uint32_t>;

Indices batch(BatchPlan& plan, std::uint64_t step) {
    Indices indices;
    plan.batch(step, indices);
    return indices;
}

TEST(BatchPlan, AnEpochShowsEachExampleAtMostOnceAndNothingElse) {
    BatchPlan plan = BatchPlan::shuffled(103, 10, 7);
    ASSERT_EQ(plan.steps_per_epoch(), 10U);
    for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
        std::set<std::uint32_t> seen;
        for (std::uint64_t k = 0; k < 10; ++k) {
            const Indices indices = batch(plan, epoch * 10 + k);
            EXPECT_EQ(indices.size(), 10U);
            seen.insert(indices.begin(), indices.end());
        }
        EXPECT_EQ(seen.size(), 100U);
        EXPECT_LT(*seen.rbegin(), 103U);
    }
}

TEST(BatchPlan, ABatchIsAFunctionOfItsStepAlone) {
    BatchPlan forward = BatchPlan::shuffled(64, 8, 3);
    std::vector<Indices> run;
    for (std::uint64_t step = 0; step < 40; ++step) run.push_back(batch(forward, step));
    BatchPlan resumed = BatchPlan::shuffled(64, 8, 3);
    for (std::uint64_t step = 40; step-- > 0;) EXPECT_EQ(batch(resumed, step), run[step]);
}

TEST(BatchPlan, EpochsAndSeedsDifferInOrder) {
    BatchPlan plan = BatchPlan::shuffled(64, 64, 3);
    BatchPlan other = BatchPlan::shuffled(64, 64, 4);
    EXPECT_NE(batch(plan, 0), batch(plan, 1));
    EXPECT_NE(batch(plan, 0), batch(other, 0));
}

TEST(BatchPlan, InOrderCoversEverythingOnceWithAShortLastBatch) {
    BatchPlan plan = BatchPlan::in_order(25, 10);
    ASSERT_EQ(plan.steps_per_epoch(), 3U);
    EXPECT_EQ(batch(plan, 0).front(), 0U);
    EXPECT_EQ(batch(plan, 1).front(), 10U);
    EXPECT_EQ(batch(plan, 2), (Indices{20, 21, 22, 23, 24}));
}

TEST(BatchPlan, ABatchLargerThanTheDataIsCutDown) {
    BatchPlan plan = BatchPlan::shuffled(5, 100, 0);
    EXPECT_EQ(plan.batch_size(), 5U);
    EXPECT_EQ(plan.steps_per_epoch(), 1U);
    EXPECT_EQ(batch(plan, 9).size(), 5U);
}

}  // namespace
}  // namespace esper::tolaria
