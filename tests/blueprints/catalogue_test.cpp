#include "esper/blueprints/catalogue.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/corrcoef.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/stack.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "esper/program/cost/cost.h"
#include "esper/program/operators.h"
#include "esper/program/shapes.h"
#include "program/run_program.h"

namespace esper::blueprints {
namespace {

using graph::Anchor;
using graph::AnchorKind;
using graph::TensorType;
using graph::testing::Bench;
using graph::testing::input_for;

struct Place {
    Anchor anchor;
    TensorType type;
};
Place place(AnchorKind kind, std::int64_t features) {
    Anchor anchor{"here", kind, graph::ValueId(0), {}, features};
    switch (kind) {
        case AnchorKind::kImage:
            return {anchor, {graph::DType::kFloat32, {-1, features, 6, 6}}};
        case AnchorKind::kTokens:
            return {anchor, {graph::DType::kFloat32, {-1, 12, features}}};
        default:
            return {anchor, {graph::DType::kFloat32, {-1, features}}};
    }
}
constexpr std::array kKinds{AnchorKind::kImage, AnchorKind::kVector, AnchorKind::kTokens};

/// Calls `visit(blueprint, place)` for every blueprint at every kind of anchor that it fits.
template <typename Visit>
void for_each_blueprint(const Visit& visit, std::int64_t features = 24, Chunk chunk = {}) {
    for (auto kind : kKinds)
        for (const auto& name : blueprint_names(kind, true)) {
            SCOPED_TRACE(name + " at " + std::string(graph::anchor_kind_name(kind)));
            auto at = place(kind, features);
            auto made = make_blueprint(name, at.anchor, at.type, chunk);
            ASSERT_TRUE(made) << made.error().to_string();
            visit(*made, at);
        }
}

TEST(Catalogue, OffersBlueprintsAndShamsForEveryKindOfAnchor) {
    EXPECT_GE(blueprint_names(AnchorKind::kImage).size(), 4U);
    EXPECT_GE(blueprint_names(AnchorKind::kVector).size(), 3U);
    EXPECT_GE(blueprint_names(AnchorKind::kTokens).size(), 4U);
    for (auto kind : kKinds) {
        auto names = blueprint_names(kind);
        EXPECT_EQ(std::count(names.begin(), names.end(), "sham"), 0);
        names = blueprint_names(kind, true);
        EXPECT_EQ(std::count(names.begin(), names.end(), "sham"), 1);
    }
}

TEST(Catalogue, KeepsTheShapeOfTheAnchorAtAnyWidth) {
    for (std::int64_t features : {1, 3, 10, 64, 129})
        for_each_blueprint(
            [](const Blueprint& blueprint, const Place& at) {
                ASSERT_EQ(blueprint.program->inputs().size(), 1U);
                EXPECT_EQ(blueprint.program->inputs()[0].name, "x");
                for (std::int64_t batch : {1, 7}) {
                    auto types = graph::infer_types(*blueprint.program, batch);
                    ASSERT_TRUE(types) << types.error().to_string();
                    auto expected = at.type;
                    expected.shape[0] = batch;
                    EXPECT_EQ((*types)[blueprint.program->find_output("y")->value.value()],
                              expected);
                }
            },
            features);
}

TEST(Catalogue, UsesOnlyOperatorsThatABlueprintMayUse) {
    for_each_blueprint([](const Blueprint& blueprint, const Place&) {
        auto allowed = graph::validate_blueprint_operators(*blueprint.program);
        EXPECT_TRUE(allowed) << allowed.error().to_string();
    });
}

TEST(Catalogue, CanBeCosted) {
    for_each_blueprint([](const Blueprint& blueprint, const Place&) {
        auto cost = graph::count_cost(*blueprint.program);
        ASSERT_TRUE(cost) << cost.error().to_string();
        EXPECT_GT(cost->forward_flops, 0U);
        EXPECT_EQ(cost->training_flops > cost->forward_flops, blueprint.has_parameters);
    });
}

TEST(Catalogue, GivesEveryTrainableParameterAGradient) {
    for_each_blueprint([](const Blueprint& blueprint, const Place&) {
        Bench bench(blueprint.program);
        auto x = input_for(bench.program->inputs()[0], 8);
        auto gradients = bench.gradients({x});
        for (const auto& p : bench.program->parameters()) {
            const auto& gradient = gradients.at(p.name);
            ASSERT_EQ(gradient.defined(), p.trainable) << p.name;
            if (!p.trainable) continue;
            EXPECT_GT(gradient.abs().sum().item<double>(), 0.0) << p.name;
        }
        EXPECT_EQ(blueprint.has_parameters, blueprint.name != "sham");
    });
}

TEST(Catalogue, StartsSmallButNotAtZero) {
    for_each_blueprint(
        [](const Blueprint& blueprint, const Place&) {
            Bench bench(blueprint.program);
            auto s = bench.run({input_for(bench.program->inputs()[0], 64)}).front();
            auto scale = s.std().item<double>();
            EXPECT_GT(scale, 0.02);
            EXPECT_LT(scale, 0.3);
        },
        64);
}

TEST(Catalogue, HasAReadoutThatIsLinearInWhatItReads) {
    for_each_blueprint([](const Blueprint& blueprint, const Place& at) {
        if (!blueprint.has_parameters) {
            EXPECT_TRUE(blueprint.readout_weight.empty());
            return;
        }
        const auto* weight = blueprint.program->find_parameter(blueprint.readout_weight);
        ASSERT_NE(weight, nullptr);
        EXPECT_EQ(weight->type.shape.size(), at.anchor.kind == AnchorKind::kImage ? 4U : 2U);
        EXPECT_EQ(weight->type.shape[0], at.anchor.features);
        ASSERT_TRUE(blueprint.readout_input);
        // s is affine in the weight: halving the weight halves its contribution.
        Bench bench(blueprint.program);
        auto x = input_for(bench.program->inputs()[0], 4);
        auto w = *bench.store.find(blueprint.readout_weight);
        if (!blueprint.readout_bias.empty()) bench.store.find(blueprint.readout_bias)->fill_(0.3);
        auto outputs = bench.run({x}, false, {*blueprint.readout_input});
        auto features = outputs[1].size(at.anchor.kind == AnchorKind::kImage ? 1 : -1);
        EXPECT_EQ(weight->type.shape[1], features);
        w.mul_(0.5);
        auto half = bench.run({x}).front();
        w.zero_();
        auto none = bench.run({x}).front();
        EXPECT_TRUE(at::allclose(half - none, (outputs[0] - none) * 0.5, 1e-3, 1e-5));
        EXPECT_FALSE(at::allclose(outputs[0], none, 1e-3, 1e-4));
    });
}

TEST(Catalogue, ActsOnItsChunkAndLeavesTheOtherFeaturesAlone) {
    for_each_blueprint(
        [](const Blueprint& blueprint, const Place& at) {
            EXPECT_EQ(blueprint.first_feature, 8);
            EXPECT_EQ(blueprint.features, 16);
            auto allowed = graph::validate_blueprint_operators(*blueprint.program);
            EXPECT_TRUE(allowed) << allowed.error().to_string();
            Bench bench(blueprint.program);
            auto x = input_for(bench.program->inputs()[0], 4);
            auto dim = at.anchor.kind == AnchorKind::kTokens ? 2 : 1;
            auto s = bench.run({x}).front();
            ASSERT_EQ(s.sizes(), x.sizes());
            EXPECT_EQ(s.narrow(dim, 0, 8).abs().max().item<double>(), 0.0);
            EXPECT_EQ(s.narrow(dim, 24, 8).abs().max().item<double>(), 0.0);
            EXPECT_GT(s.narrow(dim, 8, 16).abs().max().item<double>(), 0.0);
            auto other = x.clone();
            other.narrow(dim, 0, 8).fill_(5.0);
            other.narrow(dim, 24, 8).fill_(-5.0);
            EXPECT_TRUE(at::equal(bench.run({other}).front(), s));
        },
        32, {8, 24});
}

TEST(Catalogue, NeverLetsATokenSeeALaterOne) {
    for (const auto& name : blueprint_names(AnchorKind::kTokens, true)) {
        SCOPED_TRACE(name);
        auto at = place(AnchorKind::kTokens, 64);
        auto blueprint = make_blueprint(name, at.anchor, at.type);
        ASSERT_TRUE(blueprint);
        Bench bench(blueprint->program);
        auto x = input_for(bench.program->inputs()[0], 2);
        auto changed = x.clone();
        changed.narrow(1, 7, 5).add_(1.0);
        auto a = bench.run({x}).front();
        auto b = bench.run({changed}).front();
        EXPECT_TRUE(at::allclose(a.narrow(1, 0, 7), b.narrow(1, 0, 7), 1e-5, 1e-6));
        EXPECT_FALSE(at::allclose(a.narrow(1, 7, 5), b.narrow(1, 7, 5), 1e-3, 1e-4));
    }
}

TEST(Catalogue, LooksBackWhereItShould) {
    for (const char* name : {"transformer_block", "causal_mixer"}) {
        auto at = place(AnchorKind::kTokens, 64);
        auto blueprint = make_blueprint(name, at.anchor, at.type);
        ASSERT_TRUE(blueprint);
        Bench bench(blueprint->program);
        auto x = input_for(bench.program->inputs()[0], 2);
        auto changed = x.clone();
        changed.narrow(1, 5, 1).add_(3.0).mul_(-1.0);
        auto difference = (bench.run({x}).front() - bench.run({changed}).front()).abs();
        EXPECT_GT(difference.narrow(1, 7, 1).max().item<double>(), 1e-4) << name;
    }
}

// The claim of noise_features.h, measured: a linear map fitted on many examples from the sham's
// output to a smooth target explains nothing of that target on new examples.
TEST(Sham, TellsNothingAboutItsInput) {
    for (auto kind : kKinds) {
        SCOPED_TRACE(graph::anchor_kind_name(kind));
        auto at = place(kind, 16);
        auto blueprint = make_blueprint("sham", at.anchor, at.type);
        ASSERT_TRUE(blueprint);
        EXPECT_TRUE(blueprint->sham);
        Bench bench(blueprint->program);
        constexpr std::int64_t kExamples = 4000;
        auto x = input_for(bench.program->inputs()[0], kExamples).add(0.5).relu();
        auto s = bench.run({x}).front();
        // One position of each example: its first sixteen outputs against sixteen smooth targets.
        if (kind == AnchorKind::kImage) {
            x = x.mean({2, 3});
            s = s.select(3, 2).select(2, 2);
        } else if (kind == AnchorKind::kTokens) {
            x = x.select(1, 3);
            s = s.select(1, 3);
        }
        auto both = at::stack({s, x}, 0).reshape({2, kExamples, 16}).transpose(1, 2);
        auto correlation = at::corrcoef(both.reshape({32, kExamples}));
        auto cross = correlation.narrow(0, 0, 16).narrow(1, 16, 16).abs().max().item<double>();
        EXPECT_LT(cross, 5.0 / std::sqrt(static_cast<double>(kExamples)));
        // The output is not zero, and it is the same each time.
        EXPECT_GT(s.std().item<double>(), 0.05);
        EXPECT_NEAR(s.mean().item<double>(), 0.0, 0.01);
    }
}

TEST(Sham, SendsNoGradientIntoTheHost) {
    for (auto kind : kKinds)
        for (const char* name : {"sham", "sham_trained"}) {
            auto at = place(kind, 16);
            auto blueprint = make_blueprint(name, at.anchor, at.type);
            ASSERT_TRUE(blueprint);
            Bench bench(blueprint->program);
            auto x = input_for(bench.program->inputs()[0], 4).requires_grad_();
            auto s = bench.run({x}).front();
            EXPECT_FALSE(s.requires_grad()) << name;
        }
}

void expect_refused(const Result<Blueprint>& made, BlueprintError code, std::string_view words) {
    ASSERT_FALSE(made) << words;
    EXPECT_TRUE(made.error().is(code)) << made.error().to_string();
    EXPECT_NE(made.error().message().find(words), std::string::npos) << made.error().to_string();
}

TEST(Catalogue, SaysWhatDoesNotFit) {
    auto image = place(AnchorKind::kImage, 16);
    auto tokens = place(AnchorKind::kTokens, 16);
    expect_refused(make_blueprint("low_ramk", tokens.anchor, tokens.type),
                   BlueprintError::kUnknownBlueprint, "did you mean 'low_rank'");
    expect_refused(make_blueprint("low_rank", image.anchor, image.type), BlueprintError::kWrongKind,
                   "not for image anchors");
    expect_refused(make_blueprint("low_rank", tokens.anchor, image.type),
                   BlueprintError::kBadAnchor, "tokens with 16 features");
    expect_refused(make_blueprint("low_rank", tokens.anchor, tokens.type, {8, 17}),
                   BlueprintError::kBadChunk, "8 to 17");
    expect_refused(make_blueprint("low_rank", tokens.anchor, tokens.type, {8, 8}),
                   BlueprintError::kBadChunk, "8 to 8");
}

}  // namespace
}  // namespace esper::blueprints
