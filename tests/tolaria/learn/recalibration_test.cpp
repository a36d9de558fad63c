#include "esper/services/tolaria/learn/recalibration.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "esper/blueprints/catalogue.h"
#include "esper/core/hosts/host.h"
#include "esper/program/edits/edits.h"
#include "esper/program/shapes.h"
#include "esper/services/tolaria/host/setup.h"
#include "esper/services/tolaria/learn/batches.h"
#include "esper/services/tolaria/learn/evaluation.h"
#include "esper/services/tolaria/learn/kept_buffers.h"

namespace esper::tolaria {
namespace {

struct DrawnResNet {
    std::shared_ptr<const Dataset> data;
    graph::ProgramPtr host;
    graph::TensorStore store{{3, true}};
    Engine engine{graph::Precision::kFloat32, 0};
    static constexpr std::uint32_t kBatch = 32;

    DrawnResNet() {
        configs::EsperConfig config;
        config.data.kind = configs::DataKind::kDrawn;
        config.data.train_examples = 2000;
        config.data.split = {0.9, 0.04, 0.03, 0.03};
        data = value_or_throw(open_data(config));
        core::HostSpec spec;
        spec.kind = "resnet";
        spec.depth = 8;
        spec.width = 8;
        spec.classes = data->info().classes;
        spec.channels = data->info().input_shape[0];
        spec.image_size = data->info().input_shape[1];
        host = value_or_throw(core::make_host(spec));
        EXPECT_TRUE(store.add(*host, "host"));
    }
    ExampleSource source() const { return {*data, 3, 0, kBatch}; }
    std::vector<float> losses(const graph::ProgramPtr& program, graph::TensorStore& in) {
        return value_or_throw(evaluate_part(engine, program, in, *data, Part::kProbe, kBatch, 64))
            .losses;
    }
    graph::ProgramPtr with_seed(const std::string& blueprint) {
        const auto& anchor = host->anchors()[1];
        auto type = value_or_throw(graph::infer_types(*host))[anchor.value.value()];
        type.shape[0] = -1;
        const auto made = value_or_throw(blueprints::make_blueprint(blueprint, anchor, type));
        auto program = value_or_throw(
            graph::apply(*host, graph::InsertSeed{"s1", anchor.name, blueprint, made.program}));
        program = value_or_throw(
            graph::apply(*program, graph::SetSeedMode{"s1", graph::SeedMode::kBlended}));
        EXPECT_TRUE(store.add(*program, "seed.s1"));
        return program;
    }
};

TEST(Recalibration, AGateWithAlphaZeroSeesThePlainHost) {
    DrawnResNet r;
    auto plain = r.store.clone();
    const auto grown = r.with_seed("conv_block_3x3");
    // What the run gathered while the seed was fully blended in.
    ASSERT_TRUE(r.store.set_control("alpha.s1", 1));
    ASSERT_EQ(value_or_throw(recalibrate(r.engine, grown, r.store, r.source())), 320);
    const auto with = r.losses(grown, r.store);
    ASSERT_TRUE(r.store.set_control("alpha.s1", 0));
    const auto stale = r.losses(grown, r.store);
    ASSERT_TRUE(recalibrate(r.engine, grown, r.store, r.source()));
    ASSERT_TRUE(recalibrate(r.engine, r.host, plain, r.source()));
    const auto without = r.losses(grown, r.store);
    EXPECT_EQ(without, r.losses(r.host, plain));
    EXPECT_NE(without, stale) << "statistics of another network judge this one wrongly";
    EXPECT_NE(without, with);
}

TEST(Recalibration, ChangesRunningStatisticsOnlyAndTheGuardPutsThemBack) {
    DrawnResNet r;
    const auto before = r.store.clone();
    {
        const BufferGuard guard(r.store);
        ASSERT_TRUE(recalibrate(r.engine, r.host, r.store, r.source()));
        EXPECT_TRUE(at::equal(before.blocks()[0]->flat, r.store.blocks()[0]->flat));
        int moved = 0;
        for (const auto& [name, t] : before.buffers())
            moved += at::equal(t, value_or_throw(r.store.find(name))) ? 0 : 1;
        EXPECT_EQ(moved, static_cast<int>(before.buffers().size()));
    }
    for (const auto& [name, t] : before.buffers())
        EXPECT_TRUE(at::equal(t, value_or_throw(r.store.find(name)))) << name;
}

TEST(Recalibration, LandsWhereTheRunningMeanOfManyBatchesGoes) {
    DrawnResNet r;
    auto slow = r.store.clone();
    // Momentum 0.1 over 60 batches has forgotten where it began.
    auto plan = BatchPlan::shuffled(r.data->size(Part::kTrain), r.kBatch, 5);
    Batch batch;
    for (std::uint64_t step = 0; step < 60; ++step) {
        plan.batch(step, batch.indices);
        ASSERT_TRUE(fill_batch(*r.data, Part::kTrain, Variation{3, 0}, batch));
        ASSERT_TRUE(r.engine.settle(r.host, slow, as_tensors(batch, r.data->info())));
    }
    ASSERT_TRUE(recalibrate(r.engine, r.host, r.store, r.source()));
    double worst_off = 0;
    double worst_ratio = 0;
    for (const auto& [name, variance] : slow.buffers()) {
        if (!name.ends_with("running_var")) continue;
        const auto mean_name = name.substr(0, name.size() - 3) + "mean";
        const auto off =
            (value_or_throw(slow.find(mean_name)) - value_or_throw(r.store.find(mean_name))).abs() /
            variance.sqrt();
        const auto ratio = value_or_throw(r.store.find(name)) / variance;
        worst_off = std::max(worst_off, off.max().item<double>());
        worst_ratio = std::max(worst_ratio, ratio.log().abs().max().item<double>());
    }
    // Ten batches stand against an average with momentum 0.1, which has the memory of 19: the two
    // rest on 320 and on 608 images. If the values within an image were all alike, a mean of them
    // would be uncertain by sqrt(1/320 + 1/608) = 0.069 deviations, and a logarithm of the variance
    // of Gaussian ones by sqrt(2) of that; four such errors are allowed.
    EXPECT_LT(worst_off, 4 * 0.069);
    EXPECT_LT(worst_ratio, 4 * 0.069 * 1.4142);
    RecordProperty("worst_off", std::to_string(worst_off));
    RecordProperty("worst_ratio", std::to_string(worst_ratio));
}

TEST(Recalibration, CostsNothingWhereThereIsNoBatchNorm) {
    DrawnResNet r;
    core::HostSpec spec;
    spec.kind = "mlp";
    spec.features = 8;
    const auto mlp = value_or_throw(core::make_host(spec));
    graph::TensorStore store({1, true});
    ASSERT_TRUE(store.add(*mlp, "host"));
    EXPECT_EQ(value_or_throw(recalibrate(r.engine, mlp, store, r.source())), 0);
}

}  // namespace
}  // namespace esper::tolaria
