// Steps on mixed images with several labels against PyTorch's binary_cross_entropy_with_logits.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "esper/program/builder.h"
#include "esper/services/tolaria/data/prefetching_loader.h"
#include "esper/services/tolaria/learn/batches.h"
#include "esper/services/tolaria/learn/engine.h"

namespace esper::tolaria {
namespace {

constexpr std::int64_t kLabels = 3;
constexpr std::uint32_t kExamples = 12;
constexpr std::uint64_t kSeed = 4;

/// Pictures of random numbers with random labels.
class Pictures final : public Dataset {
  public:
    explicit Pictures(ImageLayout layout) {
        at::manual_seed(3);
        x = at::randn({kExamples, 2, 6, 5});
        holds = at::rand({kExamples, kLabels}).gt(0.6).to(at::kFloat);
        info_.task = Task::kMultiLabel;
        info_.classes = kLabels;
        info_.input_shape = {2, 6, 5};
        info_.target_shape = {kLabels};
        info_.layout = layout;
    }
    const DatasetInfo& info() const override { return info_; }
    std::uint32_t size(Part) const override { return kExamples; }
    Status fill(Part, std::span<const std::uint32_t> indices, const std::optional<Variation>&,
                InputBuffer inputs, TargetBuffer targets) const override {
        const bool last = info_.layout == ImageLayout::kChannelsLast;
        const auto stored = (last ? x.permute({0, 2, 3, 1}) : x).contiguous();
        for (const auto i : indices) {
            std::copy_n(stored.const_data_ptr<float>() + i * 60, 60, inputs.pixels);
            std::copy_n(holds.const_data_ptr<float>() + i * kLabels, kLabels, targets.values);
            inputs.pixels += 60;
            targets.values += kLabels;
        }
        return {};
    }

    at::Tensor x;
    at::Tensor holds;

  private:
    DatasetInfo info_;
};

graph::ProgramPtr linear_host() {
    graph::ProgramBuilder b("linear");
    auto x = b.input("x", {graph::DType::kFloat32, {-1, 2, 6, 5}});
    auto w = b.parameter("w", {graph::DType::kFloat32, {kLabels, 60}},
                         {graph::Init::Kind::kNormal, 0.1});
    auto flat = b.call("aten::flatten.using_ints", {x, graph::constant(1), graph::constant(-1)});
    b.output("logits", b.call("aten::linear", {flat, w, graph::none()}));
    return value_or_throw(b.finish());
}

/// What a loop in PyTorch makes of the batch: each image and its labels with those before it.
std::pair<at::Tensor, at::Tensor> mixed(const Pictures& data, const Mix& mix,
                                        const std::vector<std::uint32_t>& indices) {
    const auto picks =
        at::tensor(std::vector<std::int64_t>(indices.begin(), indices.end()), at::kLong);
    auto x = data.x.index_select(0, picks);
    const auto y = data.holds.index_select(0, picks);
    const auto other = x.roll(1, 0);
    if (mix.box) {
        const auto cut = [&](const at::Tensor& t) {
            return t.narrow(2, mix.box->top, mix.box->height)
                .narrow(3, mix.box->left, mix.box->width);
        };
        x = x.clone();
        cut(x).copy_(cut(other));
    } else {
        x = mix.share * x + (1 - mix.share) * other;
    }
    return {x, mix.share * y + (1 - mix.share) * y.roll(1, 0)};
}

void expect_torchs_steps(const SoftTargets& options, ImageLayout layout) {
    const auto data = std::make_shared<const Pictures>(layout);
    LoaderOptions loading;
    loading.variation_seed = kSeed;
    loading.soft = options;
    loading.end_step = 9;
    PrefetchingLoader loader(data, Part::kTrain, BatchPlan::shuffled(kExamples, 4, kSeed), loading);
    const auto host = linear_host();
    graph::TensorStore store({1, false});
    ASSERT_TRUE(store.add(*host, "host"));
    Engine engine(graph::Precision::kFloat32, options.label_smoothing);
    const auto* w = store.find_parameter("w");
    auto theirs = w->value.detach().clone().requires_grad_(true);
    const auto first = theirs.detach().clone();
    const auto weights =
        options.class_weights.empty() ? at::Tensor() : at::tensor(options.class_weights);
    while (const auto* batch = value_or_throw(loader.next())) {
        const auto got =
            value_or_throw(engine.train(host, store, as_tensors(*batch, data->info())));
        const auto mix = draw_mix(options, kSeed, batch->step, 5, 6);
        auto [x, y] = mixed(*data, mix, batch->indices);
        y = (1 - options.label_smoothing) * y + options.label_smoothing / 2;
        const auto loss =
            at::binary_cross_entropy_with_logits(at::linear(x.flatten(1), theirs), y, {}, weights);
        EXPECT_NEAR(got.loss, loss.item<double>(), 1e-5) << "step " << batch->step;
        const auto gradient = torch::autograd::grad({loss}, {theirs}).front();
        theirs = (theirs.detach() - gradient).requires_grad_(true);
        w->value.sub_(w->gradient);
        ASSERT_TRUE(at::allclose(w->value, theirs.detach(), 1e-5, 1e-6)) << "step " << batch->step;
    }
    EXPECT_GT((theirs.detach() - first).abs().max().item<double>(), 0.05);
}

class SoftLabels : public testing::TestWithParam<ImageLayout> {};

TEST_P(SoftLabels, MixupStepsAreTorchs) { expect_torchs_steps({.mixup = 0.7}, GetParam()); }

TEST_P(SoftLabels, CutMixStepsAreTorchs) { expect_torchs_steps({.cutmix = 1}, GetParam()); }

TEST_P(SoftLabels, MixedStepsWithWeightsAndSmoothingAreTorchs) {
    expect_torchs_steps(
        {.mixup = 0.5, .cutmix = 1, .label_smoothing = 0.2, .class_weights = {3, 0.25, 1}},
        GetParam());
}

TEST_P(SoftLabels, StepsWithWeightsAloneAreTorchs) {
    expect_torchs_steps({.class_weights = {0, 2, 7}}, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Layouts, SoftLabels,
                         testing::Values(ImageLayout::kChannelsFirst, ImageLayout::kChannelsLast));

}  // namespace
}  // namespace esper::tolaria
