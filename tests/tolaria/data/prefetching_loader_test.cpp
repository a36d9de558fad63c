#include "esper/services/tolaria/data/prefetching_loader.h"

#include <gtest/gtest.h>

#include <set>

#include "esper/services/tolaria/data/drawn_images.h"

namespace esper::tolaria {
namespace {

std::shared_ptr<const Dataset> drawn() {
    static const std::shared_ptr<const Dataset> set =
        value_or_throw(DrawnImages::open({.split = {.train_examples = 200}}));
    return set;
}

BatchPlan plan() { return BatchPlan::shuffled(200, 16, 11); }

TEST(PrefetchingLoader, DeliversWhatTheCallerWouldHaveMadeItself) {
    PrefetchingLoader loader(drawn(), Part::kTrain, plan(), {.variation_seed = 4, .end_step = 40});
    BatchPlan own = plan();
    for (std::uint64_t step = 0; step < 40; ++step) {
        const Batch* batch = value_or_throw(loader.next());
        ASSERT_NE(batch, nullptr);
        EXPECT_EQ(batch->step, step);
        EXPECT_EQ(batch->epoch, step / own.steps_per_epoch());
        Batch expected;
        own.batch(step, expected.indices);
        ASSERT_TRUE(fill_batch(*drawn(), Part::kTrain, Variation{4, batch->epoch}, expected));
        EXPECT_EQ(batch->indices, expected.indices);
        EXPECT_EQ(batch->pixels, expected.pixels);
        EXPECT_EQ(batch->targets, expected.targets);
    }
    EXPECT_EQ(value_or_throw(loader.next()), nullptr);
    EXPECT_EQ(value_or_throw(loader.next()), nullptr);
}

TEST(PrefetchingLoader, StartsAtAnyStepAsIfItHadRunFromTheFirst) {
    PrefetchingLoader from_start(drawn(), Part::kTrain, plan(), {.variation_seed = 4});
    for (int i = 0; i < 29; ++i) ASSERT_TRUE(from_start.next());
    PrefetchingLoader resumed(drawn(), Part::kTrain, plan(),
                              {.variation_seed = 4, .first_step = 29});
    for (int i = 0; i < 5; ++i) {
        const Batch* a = value_or_throw(from_start.next());
        const Batch* b = value_or_throw(resumed.next());
        EXPECT_EQ(a->step, b->step);
        EXPECT_EQ(a->pixels, b->pixels);
    }
}

TEST(PrefetchingLoader, ReusesItsBuffers) {
    PrefetchingLoader loader(drawn(), Part::kTrain, plan(), {.depth = 2});
    std::set<const float*> buffers;
    for (int i = 0; i < 60; ++i) {
        const Batch* batch = value_or_throw(loader.next());
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(batch->pixels.data()) % 64, 0U);
        buffers.insert(batch->pixels.data());
    }
    EXPECT_LE(buffers.size(), 3U);
}

TEST(PrefetchingLoader, EvaluatesAPartInOrderToTheLastShortBatch) {
    const auto count = drawn()->size(Part::kProbe);
    PrefetchingLoader loader(drawn(), Part::kProbe, BatchPlan::in_order(count, 16),
                             {.end_step = BatchPlan::in_order(count, 16).steps_per_epoch()});
    std::uint32_t expected = 0;
    while (const Batch* batch = value_or_throw(loader.next())) {
        for (const std::uint32_t index : batch->indices) EXPECT_EQ(index, expected++);
    }
    EXPECT_EQ(expected, count);
}

TEST(PrefetchingLoader, AnErrorArrivesAtItsBatchAndStays) {
    // The plan speaks of more examples than there are: some batch of the first pass must fail.
    PrefetchingLoader loader(drawn(), Part::kTrain, BatchPlan::in_order(240, 50), {});
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(loader.next());
    for (int i = 0; i < 2; ++i) {
        const auto failed = loader.next();
        ASSERT_FALSE(failed);
        EXPECT_TRUE(failed.error().is(DataError::kBadIndex));
    }
}

TEST(PrefetchingLoader, MayBeDestroyedAtAnyMoment) {
    for (int i = 0; i < 30; ++i) {
        PrefetchingLoader loader(drawn(), Part::kTrain, plan(), {});
        for (int k = 0; k < i % 4; ++k) ASSERT_TRUE(loader.next());
    }
}

}  // namespace
}  // namespace esper::tolaria
