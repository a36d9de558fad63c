// The second pass of a seed in a shadow computes the network with the seed blended in, and trains
// only the seed.
#include "esper/program/edits/shadow.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "core/trained_hosts.h"
#include "esper/blueprints/catalogue.h"
#include "esper/core/hosts/host.h"
#include "esper/engine/joint/joint_program.h"
#include "esper/program/builder.h"
#include "esper/program/cost/cost.h"
#include "esper/program/edits/edits.h"
#include "esper/program/loss.h"
#include "esper/program/shapes.h"

namespace esper::core {
namespace {

using graph::GraphError;
using graph::ProgramPtr;
using graph::TensorStore;

struct Grown {
    ProgramPtr host;
    ProgramPtr isolated;
    ProgramPtr blended;
    TensorStore store{{5, true}};
    std::vector<at::Tensor> batch;

    Grown(const HostSpec& spec, const std::string& blueprint) {
        host = value_or_throw(make_host(spec));
        const auto& anchor = host->anchors()[0];
        auto type = value_or_throw(graph::infer_types(*host))[anchor.value.value()];
        type.shape[0] = -1;
        const auto made = value_or_throw(blueprints::make_blueprint(blueprint, anchor, type));
        isolated = value_or_throw(
            graph::apply(*host, graph::InsertSeed{"s1", anchor.name, blueprint, made.program}));
        blended = value_or_throw(
            graph::apply(*isolated, graph::SetSeedMode{"s1", graph::SeedMode::kBlended}));
        EXPECT_TRUE(store.add(*host, "host"));
        EXPECT_TRUE(store.add(*blended, "seed.s1"));
        EXPECT_TRUE(store.set_control("alpha.s1", 1));
        batch = core::testing::batch_for(with_loss(host));
    }
    static ProgramPtr with_loss(const ProgramPtr& program) {
        return value_or_throw(graph::with_loss(*program, {0, false}));
    }
    /// Losses in order; the gradients are in the store.
    std::vector<double> run(const ProgramPtr& program) {
        graph::JointSpec spec;
        spec.program = program;
        for (const auto& output : program->outputs()) spec.losses.push_back(output.name);
        auto joint = value_or_throw(graph::JointProgram::record(spec, store, batch));
        std::vector<double> losses;
        for (const auto& loss : value_or_throw(joint.run(batch)).outputs)
            losses.push_back(loss.item<double>());
        return losses;
    }
    at::Tensor gradient(const std::string& block) const {
        return store.find_block(block)->grad.clone();
    }
};

HostSpec small_resnet() { return {.kind = "resnet", .depth = 8, .width = 8, .image_size = 8}; }

class Shadow : public ::testing::TestWithParam<std::pair<HostSpec, const char*>> {};

TEST_P(Shadow, GivesTheSeedTheLossAndGradientOfTheNetworkThatHasIt) {
    Grown g(GetParam().first, GetParam().second);
    const auto shadowed = value_or_throw(graph::with_shadows(Grown::with_loss(g.isolated), "loss"));
    EXPECT_EQ(shadowed->outputs()[1].name, "shadow.s1");
    const auto both = g.run(shadowed);
    const auto seed = g.gradient("seed.s1");
    const auto host = g.gradient("host");

    const auto with = g.run(Grown::with_loss(g.blended));
    EXPECT_NEAR(both[1], with[0], 1e-5 * with[0]);
    EXPECT_TRUE(at::allclose(seed, g.gradient("seed.s1"), 1e-3, 1e-6));
    EXPECT_GT(seed.abs().max().item<double>(), 0);

    const auto without = g.run(Grown::with_loss(g.host));
    EXPECT_EQ(both[0], without[0]);
    EXPECT_NE(both[0], both[1]);
    EXPECT_TRUE(at::equal(host, g.gradient("host")));
}

TEST_P(Shadow, CostsTheSeedAndThePassBehindItAndNoGradientOfTheHosts) {
    Grown g(GetParam().first, GetParam().second);
    const auto cost = [](const ProgramPtr& p) {
        return static_cast<double>(value_or_throw(graph::count_cost(*p)).training_flops);
    };
    const auto shadowed = value_or_throw(graph::with_shadows(g.isolated, "logits"));
    EXPECT_GT(cost(shadowed), cost(g.host) + cost(g.blended) - cost(g.host));
    EXPECT_LT(cost(shadowed), cost(g.host) + cost(g.blended));
}

INSTANTIATE_TEST_SUITE_P(
    Hosts, Shadow,
    ::testing::Values(
        std::pair{HostSpec{.kind = "mlp", .depth = 2, .width = 16, .features = 8},
                  "bottleneck_mlp"},
        std::pair{small_resnet(), "conv_block_3x3"},
        std::pair{HostSpec{.kind = "gpt", .depth = 2, .width = 32, .heads = 2, .context = 8},
                  "transformer_block"}));

TEST(Shadows, SeveralSeedsLearnEachAlone) {
    Grown g(small_resnet(), "conv_block_3x3");
    const auto& second = g.host->anchors()[1];
    auto type = value_or_throw(graph::infer_types(*g.host))[second.value.value()];
    type.shape[0] = -1;
    const auto made = value_or_throw(blueprints::make_blueprint("bottleneck_1x1", second, type));
    const auto one =
        g.run(value_or_throw(graph::with_shadows(Grown::with_loss(g.isolated), "loss")));
    const auto alone = g.gradient("seed.s1");
    const auto two = value_or_throw(graph::apply(
        *g.isolated, graph::InsertSeed{"s2", second.name, "bottleneck_1x1", made.program}));
    ASSERT_TRUE(g.store.add(*two, "seed.s2"));
    const auto losses = g.run(value_or_throw(graph::with_shadows(Grown::with_loss(two), "loss")));
    ASSERT_EQ(losses.size(), 3U);
    EXPECT_EQ(losses[0], one[0]);
    EXPECT_EQ(losses[1], one[1]);
    EXPECT_TRUE(at::equal(alone, g.gradient("seed.s1")));
    EXPECT_GT(g.gradient("seed.s2").abs().max().item<double>(), 0);
}

TEST(Shadows, MoveNoRunningStatisticsThatTheHostDoesNotMove) {
    Grown g(small_resnet(), "conv_block_3x3");
    auto plain = g.store.clone();
    g.run(value_or_throw(graph::with_shadows(Grown::with_loss(g.isolated), "loss")));
    std::swap(plain, g.store);
    g.run(Grown::with_loss(g.host));
    for (const auto& [name, t] : g.store.buffers())
        EXPECT_TRUE(at::equal(t, value_or_throw(plain.find(name)))) << name;
}

TEST(Shadows, AreRefusedWhereTheyCannotBeApartFromTheHost) {
    const auto chain =
        [](const std::function<graph::ValueId(graph::ProgramBuilder&, graph::ValueId)>& behind) {
            graph::ProgramBuilder b("chain");
            auto x = b.input("x", {graph::DType::kFloat32, {-1, 4}});
            auto w = b.parameter("w", {graph::DType::kFloat32, {4, 4}},
                                 {graph::Init::Kind::kUniform, 0.5});
            auto y = b.call("aten::linear", {x, w}, "fc");
            b.anchor("fc", graph::AnchorKind::kVector, y, 4);
            b.output("logits", behind(b, y));
            const auto host = value_or_throw(b.finish());
            const auto made = value_or_throw(blueprints::make_blueprint(
                "low_rank", host->anchors()[0], {graph::DType::kFloat32, {-1, 4}}));
            return value_or_throw(
                graph::apply(*host, graph::InsertSeed{"s1", "fc", "low_rank", made.program}));
        };
    const auto in_place = chain([](auto& b, auto y) {
        return b.call("aten::relu_", {b.call("aten::mul.Scalar", {y, graph::constant(2.0)})});
    });
    const auto draws =
        chain([](auto& b, auto y) { return b.call("aten::rand_like", {y}, "noise"); });
    const auto aside = chain([](auto& b, auto) {
        return b.input("other", {graph::DType::kFloat32, {-1, 4}});
    });
    for (const auto& program : {in_place, draws, aside}) {
        const auto refused = graph::with_shadows(program, "logits");
        ASSERT_FALSE(refused);
        EXPECT_TRUE(refused.error().is(GraphError::kIllegalEdit)) << refused.error().to_string();
    }
    EXPECT_TRUE(graph::with_shadows(in_place, "loss").error().is(GraphError::kUnknownName));
}

}  // namespace
}  // namespace esper::core
