#include "esper/services/tolaria/data/prefetching_loader.h"

#include <gtest/gtest.h>

#include <filesystem>
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

/// The number of threads changes who makes a batch, never what is in it.
class LoaderWorkers : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Each, LoaderWorkers, testing::Values(0, 1, 2, 5));

TEST_P(LoaderWorkers, DeliverWhatTheCallerWouldHaveMadeItself) {
    PrefetchingLoader loader(drawn(), Part::kTrain, plan(),
                             {.variation_seed = 4, .end_step = 40, .workers = GetParam()});
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

TEST_P(LoaderWorkers, BringAnErrorAtItsBatchAndItStays) {
    // The plan speaks of more examples than there are: some batch of the first pass must fail.
    PrefetchingLoader loader(drawn(), Part::kTrain, BatchPlan::in_order(240, 50),
                             {.workers = GetParam()});
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(loader.next());
    for (int i = 0; i < 2; ++i) {
        const auto failed = loader.next();
        ASSERT_FALSE(failed);
        EXPECT_TRUE(failed.error().is(DataError::kBadIndex));
    }
}

/// Data whose batches never fit.
class Boundless final : public Dataset {
  public:
    const DatasetInfo& info() const override { return drawn()->info(); }
    std::uint32_t size(Part part) const override { return drawn()->size(part); }
    Status fill(Part, std::span<const std::uint32_t>, const std::optional<Variation>&, InputBuffer,
                TargetBuffer) const override {
        throw std::bad_alloc();
    }
};

TEST_P(LoaderWorkers, BringTheLackOfMemoryAsAnError) {
    PrefetchingLoader loader(std::make_shared<Boundless>(), Part::kTrain, plan(),
                             {.workers = GetParam()});
    const auto batch = loader.next();
    ASSERT_FALSE(batch);
    EXPECT_TRUE(batch.error().is(DataError::kNoMemory)) << batch.error().message();
}

TEST(PrefetchingLoader, WithoutWorkersStartsNoThread) {
    const auto threads = [] {
        return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
    };
    drawn();
    const auto before = threads();
    PrefetchingLoader none(drawn(), Part::kTrain, plan(), {.workers = 0});
    ASSERT_TRUE(none.next());
    EXPECT_EQ(threads(), before);
    PrefetchingLoader three(drawn(), Part::kTrain, plan(), {.workers = 3});
    EXPECT_EQ(threads(), before + 3);
}

TEST_P(LoaderWorkers, MayBeDestroyedAtAnyMoment) {
    for (int i = 0; i < 30; ++i) {
        PrefetchingLoader loader(drawn(), Part::kTrain, plan(), {.workers = GetParam()});
        for (int k = 0; k < i % 4; ++k) ASSERT_TRUE(loader.next());
    }
}

}  // namespace
}  // namespace esper::tolaria
