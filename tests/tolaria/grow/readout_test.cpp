#include "esper/services/tolaria/grow/readout.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "esper/core/hosts/host.h"
#include "esper/program/edits/edits.h"
#include "esper/program/edits/seed_names.h"
#include "esper/program/shapes.h"
#include "esper/services/tolaria/grow/readout_moments.h"
#include "esper/services/tolaria/host/setup.h"
#include "esper/services/tolaria/learn/batches.h"
#include "esper/services/tolaria/learn/recalibration.h"

namespace esper::tolaria {
namespace {

TEST(ReadoutMoments, LeaveOutWhatTheHostLayerCouldDoItself) {
    at::manual_seed(1);
    const auto options = at::TensorOptions(at::kDouble);
    const auto x = at::randn({4000, 6}, options);
    const auto own = at::randn({4000, 5}, options);
    // Two of the branch's features are the host layer's, one is its own.
    const auto h = at::cat({x.narrow(1, 0, 2), own.narrow(1, 0, 1)}, 1);
    const auto g = x.narrow(1, 0, 1) * 3.0 + own.narrow(1, 0, 1);
    ReadoutMoments with_host;
    with_host.add({h, g, g, x});
    const auto fitted = with_host.solve(1).direction;
    EXPECT_LT(fitted[0][0].abs().item<double>(), 0.05 * fitted[0][2].abs().item<double>());
    EXPECT_TRUE(with_host.removes_host_part());
    ReadoutMoments alone;
    alone.add({h, g, g, at::Tensor()});
    const auto naive = alone.solve(1).direction;
    EXPECT_GT(naive[0][0].abs().item<double>(), naive[0][2].abs().item<double>());
}

TEST(ReadoutMoments, AConvolutionsInputIsItsWindows) {
    core::HostSpec spec;
    spec.kind = "resnet";
    spec.depth = 8;
    spec.width = 8;
    spec.image_size = 16;
    const auto host = value_or_throw(core::make_host(spec));
    const auto types = value_or_throw(graph::infer_types(*host));
    for (const auto& anchor : host->anchors()) {
        const auto layer = HostLayer::find(*host, anchor);
        ASSERT_TRUE(layer) << anchor.name;
        auto in = types[anchor.layer_input->value()].shape;
        auto out = types[anchor.value.value()].shape;
        in[0] = out[0] = 2;
        const auto y = at::zeros(out);
        const auto rows = layer->rows(at::randn(in), places_of(y), picked_places(y));
        ASSERT_TRUE(rows.defined()) << anchor.name;
        EXPECT_EQ(rows.size(0), rows_of(y, picked_places(y)).size(0));
        EXPECT_EQ(rows.size(1), 9 * in[1] + 1);
    }
}

/// A host on drawn images, and a seed at one of its anchors that is to be fitted.
struct OnDrawnImages {
    std::shared_ptr<const Dataset> data;
    graph::ProgramPtr host;
    graph::TensorStore store{{3, true}};
    Engine engine{graph::Precision::kFloat32, 0};

    OnDrawnImages(std::int64_t examples, core::HostSpec spec) {
        configs::EsperConfig config;
        config.data.kind = configs::DataKind::kDrawn;
        config.data.train_examples = examples;
        config.data.split = {0.9, 0.04, 0.03, 0.03};
        data = value_or_throw(open_data(config));
        spec.classes = data->info().classes;
        spec.channels = data->info().input_shape[0];
        spec.image_size = data->info().input_shape[1];
        host = value_or_throw(core::make_host(spec));
        EXPECT_TRUE(store.add(*host, "host"));
    }
    ReadoutRequest request(std::size_t anchor_index, const std::string& blueprint,
                           std::uint32_t batch_size) const {
        const auto& anchor = host->anchors()[anchor_index];
        auto type = value_or_throw(graph::infer_types(*host))[anchor.value.value()];
        type.shape[0] = -1;
        ReadoutRequest request;
        request.program = host;
        request.anchor = anchor.name;
        request.seed = "s1";
        request.blueprint = value_or_throw(blueprints::make_blueprint(blueprint, anchor, type));
        request.batch_size = batch_size;
        return request;
    }
};

TEST(Readout, DoesNotExplainTheGradientAwayByALayerThatReadsTooMuch) {
    OnDrawnImages on(500, {.kind = "mlp", .depth = 2, .width = 16});
    for (const std::size_t layer : {0, 1}) {
        const auto request = on.request(layer, "low_rank", 64);
        const auto fit = value_or_throw(fit_readout(request, on.engine, on.store, *on.data));
        // The first layer reads 3,072 pixels, the second 16 units.
        EXPECT_EQ(fit.host_part_removed, layer == 1);
        EXPECT_LT(fit.samples, 5000);
    }
}

TEST(ReadoutMoments, PickAtMostSixteenPlacesSpreadEvenly) {
    EXPECT_EQ(picked_places(at::zeros({2, 3, 32, 32})).numel(), 16);
    EXPECT_EQ(picked_places(at::zeros({2, 128, 8})).numel(), 32);
    EXPECT_EQ(picked_places(at::zeros({2, 8})).numel(), 1);
    const auto small = picked_places(at::zeros({2, 3, 2, 2}));
    EXPECT_TRUE(at::equal(small, at::arange(4)));
}

/// What the fitted seed, blended in, saves of each probe image's loss.
at::Tensor saved_on_others(const ReadoutRequest& request, const ReadoutFit& fit, Engine& engine,
                           const graph::TensorStore& store, const Dataset& data) {
    auto grown = store.clone();
    auto program = value_or_throw(graph::apply(
        *request.program, graph::InsertSeed{request.seed, request.anchor, request.blueprint.name,
                                            request.blueprint.program}));
    program = value_or_throw(
        graph::apply(*program, graph::SetSeedMode{request.seed, graph::SeedMode::kBlended}));
    EXPECT_TRUE(grown.add(*program, graph::seed_scope(request.seed)));
    EXPECT_TRUE(grown.set_control(graph::seed_control(request.seed), 1));
    Batch batch;
    for (std::uint32_t i = 0; i < data.size(Part::kProbe); ++i) batch.indices.push_back(i);
    EXPECT_TRUE(fill_batch(data, Part::kProbe, std::nullopt, batch));
    const auto inputs = as_tensors(batch, data.info());
    auto weight =
        grown.find_parameter(graph::seed_prefix(request.seed) + request.blueprint.readout_weight)
            ->value;
    const auto losses = [&](const at::Tensor& value) {
        weight.copy_(value);
        return value_or_throw(evaluate_variant(engine, program, grown, inputs)).losses.clone();
    };
    return losses(at::zeros_like(weight)) - losses(fit.weight);
}

TEST(Readout, RestsOnThousandsOfSamplesAndLeavesTheStoreAsItWas) {
    OnDrawnImages on(2000, {.kind = "resnet", .depth = 8, .width = 8});
    const auto before = on.store.clone();
    const auto request = on.request(0, "bottleneck_1x1", 32);
    const auto fit = value_or_throw(fit_readout(request, on.engine, on.store, *on.data));
    EXPECT_GE(fit.samples, 4000);
    EXPECT_TRUE(fit.host_part_removed);
    // Zero is among the scales that are tried, so a gain of nothing would say nothing. On images
    // that had no part in it the fitted layer saves what it promises, within four standard errors
    // of the two samples (256 examples there, the probe part here).
    EXPECT_GT(fit.gamma, 0);
    EXPECT_GT(fit.gain(), 0);
    const auto saved = saved_on_others(request, fit, on.engine, on.store, *on.data);
    const double deviation = saved.std().item<double>();
    const double error =
        deviation * std::sqrt(1.0 / 256 + 1.0 / static_cast<double>(saved.numel()));
    EXPECT_GE(saved.numel(), 80);
    EXPECT_GT(saved.mean().item<double>(), 0);
    EXPECT_NEAR(saved.mean().item<double>(), fit.gain(), 4 * error);
    for (const auto& [name, t] : before.buffers())
        EXPECT_TRUE(at::equal(t, value_or_throw(on.store.find(name)))) << name;
    EXPECT_TRUE(at::equal(before.blocks()[0]->flat, on.store.blocks()[0]->flat));
    EXPECT_EQ(on.store.blocks().size(), before.blocks().size());
}

}  // namespace
}  // namespace esper::tolaria
