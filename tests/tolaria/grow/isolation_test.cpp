// A seed that learns in isolation cannot be noticed: not in the host's output, not in its
// gradients, not in its parameters or statistics after steps of the optimizer, to the bit.

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "esper/blueprints/catalogue.h"
#include "esper/core/hosts/host.h"
#include "esper/execution/kasmina/kasmina_layer.h"
#include "esper/program/loss.h"
#include "esper/program/shapes.h"
#include "esper/services/tolaria/learn/block_settings.h"
#include "esper/services/tolaria/learn/engine.h"
#include "program/run_program.h"

namespace esper::tolaria {
namespace {

using graph::ProgramPtr;
using graph::TensorStore;

struct Case {
    const char* name;
    core::HostSpec host;
    configs::Optimizer optimizer;
};

std::vector<at::Tensor> batch_for(const ProgramPtr& program) {
    const auto with_loss = value_or_throw(graph::with_loss(*program, {0, false}));
    std::vector<at::Tensor> batch;
    for (const auto& input : with_loss->inputs())
        batch.push_back(graph::testing::input_for(input, 4));
    return batch;
}

class Isolation
    : public testing::TestWithParam<std::tuple<Case, graph::Precision, configs::Isolation>> {};

TEST_P(Isolation, ASeedInTrainingCannotBeNoticed) {
    const auto& [c, precision, objective] = GetParam();
    const auto host = value_or_throw(core::make_host(c.host));
    const auto batch = batch_for(host);
    configs::EsperConfig config;
    config.optimization.optimizer = c.optimizer;
    config.optimization.clip_norm = 0.5;  // at work, and apart for host and seeds
    config.optimization.learning_rate = 0.05;

    TensorStore plain({7, true});
    TensorStore grown({7, true});
    ASSERT_TRUE(plain.add(*host, "host"));
    ASSERT_TRUE(grown.add(*host, "host"));
    std::vector<std::string> anchors;
    for (const auto& a : host->anchors()) anchors.push_back(a.name);
    execution::KasminaLayer kasmina(host, anchors, grown);
    const auto types = value_or_throw(graph::infer_types(*host));
    for (const auto& slot : kasmina.slots()) {
        const auto* anchor = host->find_anchor(slot.anchor);
        auto type = types[anchor->value.value()];
        type.shape[0] = -1;
        const auto names = blueprints::blueprint_names(anchor->kind);
        const auto blueprint = value_or_throw(
            blueprints::make_blueprint(names[slot.index % names.size()], *anchor, type));
        ASSERT_TRUE(
            kasmina.germinate(slot.index, blueprint.name, blueprint.program, true, {0, 0}, ""));
        ASSERT_EQ(kasmina.state(slot.index), execution::SeedState::kTraining);
    }

    Engine engine(precision, 0.1, objective);
    Optimizer for_plain(config.optimization);
    Optimizer for_grown(config.optimization);
    const auto settings = [&](const std::string& block) {
        return block_settings(config, kasmina.treatment(block), 0);
    };
    const auto seeds_before = grown.blocks().back()->flat.clone();
    for (int step = 0; step < 3; ++step) {
        const auto one = value_or_throw(engine.train(host, plain, batch));
        const auto two = value_or_throw(engine.train(kasmina.program(), grown, batch));
        ASSERT_EQ(one.loss, two.loss) << "step " << step;
        ASSERT_TRUE(at::equal(plain.blocks()[0]->grad, grown.blocks()[0]->grad)) << step;
        for_plain.step(plain, 0.05, settings, host);
        for_grown.step(grown, 0.05, settings, kasmina.program());
        ASSERT_TRUE(at::equal(plain.blocks()[0]->flat, grown.blocks()[0]->flat)) << step;
    }
    for (const auto& [name, t] : plain.buffers())
        EXPECT_TRUE(at::equal(t, value_or_throw(grown.find(name)))) << name;
    const std::vector<at::Tensor> x{batch[0]};
    EXPECT_TRUE(at::equal(value_or_throw(engine.logits(host, plain, x)),
                          value_or_throw(engine.logits(kasmina.program(), grown, x))));
    EXPECT_FALSE(at::equal(seeds_before, grown.blocks().back()->flat)) << "the seed did not learn";
}

INSTANTIATE_TEST_SUITE_P(
    EveryHost, Isolation,
    testing::Combine(
        testing::Values(
            Case{"mlp",
                 {.kind = "mlp", .depth = 2, .width = 16, .features = 8},
                 configs::Optimizer::kSgd},
            Case{"resnet",
                 {.kind = "resnet", .depth = 8, .width = 8, .image_size = 8},
                 configs::Optimizer::kSgd},
            Case{"vgg", {.kind = "vgg", .depth = 8, .width = 4}, configs::Optimizer::kAdamw},
            Case{"gpt",
                 {.kind = "gpt", .depth = 2, .width = 32, .heads = 2, .context = 8},
                 configs::Optimizer::kAdamw}),
        testing::Values(graph::Precision::kFloat32, graph::Precision::kBFloat16),
        testing::Values(configs::Isolation::kStraightThrough, configs::Isolation::kShadow)),
    [](const auto& test) {
        const bool bf16 = std::get<1>(test.param) == graph::Precision::kBFloat16;
        return std::string(std::get<0>(test.param).name) + (bf16 ? "_bf16_" : "_fp32_") +
               std::string(contracts::to_text(std::get<2>(test.param)));
    });

}  // namespace
}  // namespace esper::tolaria
