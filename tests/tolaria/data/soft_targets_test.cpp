#include "esper/services/tolaria/data/soft_targets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "esper/services/tolaria/data/drawn_images.h"
#include "esper/services/tolaria/data/prefetching_loader.h"

namespace esper::tolaria {
namespace {

DatasetInfo images(ImageLayout layout) {
    DatasetInfo info;
    info.input_shape = {2, 4, 5};
    info.layout = layout;
    info.classes = 3;
    return info;
}

/// Image i has i·100 + channel·10 everywhere.
std::vector<float> three_images(ImageLayout layout) {
    std::vector<float> pixels(3 * 40);
    for (std::size_t i = 0; i < pixels.size(); ++i) {
        const auto at = i % 40;
        const auto channel = layout == ImageLayout::kChannelsLast ? at % 2 : at / 20;
        const std::size_t image = i / 40;
        pixels[i] = static_cast<float>(image * 100 + channel * 10);
    }
    return pixels;
}

TEST(SoftTargets, MixupAveragesEachImageWithTheOneBefore) {
    const auto info = images(ImageLayout::kChannelsLast);
    auto pixels = three_images(info.layout);
    mix_images({0.75, {}}, info, 3, pixels.data());
    EXPECT_FLOAT_EQ(pixels[0], 0.25F * 200);
    EXPECT_FLOAT_EQ(pixels[41], 0.75F * 110 + 0.25F * 10);
    EXPECT_FLOAT_EQ(pixels[80], 0.75F * 200 + 0.25F * 100);
}

TEST(SoftTargets, CutMixTakesTheRectangleAndLeavesTheRest) {
    for (const auto layout : {ImageLayout::kChannelsLast, ImageLayout::kChannelsFirst}) {
        const auto info = images(layout);
        auto pixels = three_images(layout);
        mix_images({0.7, Rectangle{1, 2, 3, 2}}, info, 3, pixels.data());
        for (std::size_t y = 0; y < 4; ++y)
            for (std::size_t x = 0; x < 5; ++x)
                for (std::size_t c = 0; c < 2; ++c) {
                    const bool inside = x >= 1 && x < 4 && y >= 2;
                    const auto at = layout == ImageLayout::kChannelsLast ? (y * 5 + x) * 2 + c
                                                                         : (c * 4 + y) * 5 + x;
                    EXPECT_EQ(pixels[at], (inside ? 200 : 0) + static_cast<float>(c * 10));
                    EXPECT_EQ(pixels[40 + at], (inside ? 0 : 100) + static_cast<float>(c * 10));
                }
    }
}

TEST(SoftTargets, AMixIsAPureFunctionOfSeedAndStepAndItsShareIsThatOfThePixels) {
    const SoftTargets both{.mixup = 0.4, .cutmix = 1.0};
    int cut = 0;
    for (std::uint64_t step = 0; step < 400; ++step) {
        const auto mix = draw_mix(both, 3, step, 20, 10);
        const auto again = draw_mix(both, 3, step, 20, 10);
        EXPECT_EQ(mix.share, again.share);
        EXPECT_GE(mix.share, 0);
        EXPECT_LE(mix.share, 1);
        if (!mix.box) continue;
        ++cut;
        const auto& box = *mix.box;
        EXPECT_TRUE(box.left >= 0 && box.top >= 0 && box.left + box.width <= 20 &&
                    box.top + box.height <= 10);
        EXPECT_DOUBLE_EQ(mix.share, 1 - box.width * box.height / 200.0);
    }
    EXPECT_NEAR(cut, 200, 50);
    EXPECT_NE(draw_mix(both, 3, 1, 20, 10).share, draw_mix(both, 4, 1, 20, 10).share);
    EXPECT_EQ(draw_mix({}, 3, 1, 20, 10).share, 1);
}

TEST(SoftTargets, SharesAreFromTheBetaDistribution) {
    for (const double alpha : {0.2, 1.0, 3.0}) {
        RandomStream stream(1, "beta");
        double sum = 0;
        double squares = 0;
        constexpr int kDraws = 20'000;
        for (int i = 0; i < kDraws; ++i) {
            const double x = draw_beta(alpha, stream);
            ASSERT_TRUE(x >= 0 && x <= 1);
            sum += x;
            squares += x * x;
        }
        const double mean = sum / kDraws;
        EXPECT_NEAR(mean, 0.5, 0.01);
        EXPECT_NEAR(squares / kDraws - mean * mean, 1 / (4 * (2 * alpha + 1)), 0.005) << alpha;
    }
}

TEST(SoftTargets, WeightsAndSmoothingAreTorchsWithIndexTargets) {
    // (1-e)·w[y] and e/K·w[c], over the sum of w[y], times the number of examples.
    const SoftTargets options{.label_smoothing = 0.3, .class_weights = {1, 2, 5}};
    const std::vector<std::int64_t> classes{0, 2, 2, 1};
    std::vector<float> out(12);
    fill_soft_targets(options, {}, classes, 3, out.data());
    const double scale = 4.0 / (1 + 5 + 5 + 2);
    EXPECT_NEAR(out[0], scale * (0.7 * 1 + 0.1 * 1), 1e-6);
    EXPECT_NEAR(out[1], scale * 0.1 * 2, 1e-6);
    EXPECT_NEAR(out[5], scale * (0.7 * 5 + 0.1 * 5), 1e-6);
    EXPECT_NEAR(out[10], scale * (0.7 * 2 + 0.1 * 2), 1e-6);
}

TEST(SoftTargets, AMixedExampleHasAShareOfBothClasses) {
    std::vector<float> out(6);
    const std::vector<std::int64_t> classes{0, 2};
    fill_soft_targets({.mixup = 1}, {0.75, {}}, classes, 3, out.data());
    EXPECT_EQ(out, (std::vector<float>{0.75F, 0, 0.25F, 0.25F, 0, 0.75F}));
}

TEST(SoftTargets, BalancedWeightsCountRareClassesMore) {
    const auto set = value_or_throw(DrawnImages::open({.split = {.train_examples = 120}}));
    const auto weights = value_or_throw(balanced_weights(*set, 60));
    std::vector<std::uint32_t> indices(60);
    std::iota(indices.begin(), indices.end(), 0U);
    Batch batch;
    batch.indices = indices;
    ASSERT_TRUE(fill_batch(*set, Part::kTrain, std::nullopt, batch));
    for (std::size_t c = 0; c < 10; ++c) {
        const auto n = std::ranges::count(batch.targets, static_cast<std::int64_t>(c));
        EXPECT_FLOAT_EQ(weights[c], n == 0 ? 0 : 60.0F / (10.0F * static_cast<float>(n)));
    }
}

TEST(SoftTargets, ALabelHoldsByTheShareOfTheImageThatHasIt) {
    const std::vector<float> holds{1, 0, 1, 1};  // two examples, two labels
    std::vector<float> out(8);
    fill_soft_labels({.mixup = 1}, {0.75, {}}, holds, 2, out.data());
    EXPECT_EQ(out, (std::vector<float>{1, 1, 1, 0.25F, 1, 1, 1, 0.75F}));
}

TEST(SoftTargets, WeightsOfLabelsAndTheirSmoothingAreTorchsWithSoftTargets) {
    const SoftTargets options{.label_smoothing = 0.2, .class_weights = {3, 0.5}};
    const std::vector<float> holds{1, 0};
    std::vector<float> out(4);
    fill_soft_labels(options, {}, holds, 2, out.data());
    EXPECT_FLOAT_EQ(out[0], 1 + 2 * 0.9F);
    EXPECT_FLOAT_EQ(out[1], 1 - 0.5F * 0.1F);
    EXPECT_FLOAT_EQ(out[2], 3 * 0.9F);
    EXPECT_FLOAT_EQ(out[3], 0.5F * 0.1F);
}

/// Label 0 holds in a quarter of the examples, 1 always, 2 never, 3 in one of them.
class FourLabels final : public Dataset {
  public:
    FourLabels() {
        info_.task = Task::kMultiLabel;
        info_.classes = 4;
        info_.input_shape = {1};
        info_.target_shape = {4};
    }
    const DatasetInfo& info() const override { return info_; }
    std::uint32_t size(Part) const override { return 400; }
    Status fill(Part, std::span<const std::uint32_t> indices, const std::optional<Variation>&,
                InputBuffer, TargetBuffer targets) const override {
        for (const auto i : indices) {
            const bool own[] = {i % 4 == 0, true, false, i == 7};
            for (const bool holds : own) *targets.values++ = holds ? 1.0F : 0.0F;
        }
        return {};
    }

  private:
    DatasetInfo info_;
};

TEST(SoftTargets, BalancedLabelsCountByTheirNegativesWithinLimits) {
    const auto weights = value_or_throw(balanced_label_weights(FourLabels(), 400));
    EXPECT_EQ(weights, (std::vector<float>{3, 0.01F, 100, 100}));
    EXPECT_EQ(value_or_throw(balanced_label_weights(FourLabels(), 40)).at(3), 39);
}

// Whichever thread makes a batch, and wherever a run goes on.
TEST(SoftTargets, ALoaderMixesEachStepAlikeFromAnyStepOn) {
    const auto set = value_or_throw(DrawnImages::open({.split = {.train_examples = 64}}));
    const auto plan = BatchPlan::shuffled(64, 16, 1);
    const auto batches = [&](std::uint64_t first, std::size_t workers) {
        LoaderOptions options;
        options.variation_seed = 1;
        options.soft = SoftTargets{.mixup = 0.5, .cutmix = 1};
        options.first_step = first;
        options.end_step = 8;
        options.workers = workers;
        PrefetchingLoader loader(set, Part::kTrain, plan, options);
        std::vector<std::pair<AlignedVector<float>, AlignedVector<float>>> seen;
        while (const auto* batch = value_or_throw(loader.next()))
            seen.emplace_back(batch->pixels, batch->soft);
        return seen;
    };
    const auto all = batches(0, 0);
    ASSERT_EQ(all.size(), 8U);
    const auto rest = batches(3, 2);
    EXPECT_TRUE(std::equal(rest.begin(), rest.end(), all.begin() + 3, all.end()));
    EXPECT_NE(all[0].second, all[4].second);
}

}  // namespace
}  // namespace esper::tolaria
