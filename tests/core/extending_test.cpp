// The examples of docs/extending.md, compiled and run.

#include <gtest/gtest.h>

#include <cctype>
#include <fstream>
#include <sstream>

#include "esper/blueprints/branch.h"
#include "esper/blueprints/catalogue.h"
#include "esper/core/hosts/host.h"
#include "esper/core/model_wrapper.h"
#include "esper/program/anchor_types.h"
#include "esper/program/cost/cost.h"
#include "esper/program/layers.h"
#include "esper/program/operators.h"
#include "esper/program/operators/operator_table.h"
#include "program/run_program.h"

namespace esper {
namespace {

// y = -x·ln x of each element: one operation an element, and as many on the way back.
graph::Flops entropy_terms(const graph::CostCall& call) {
    return {call.out_numel(), call.needs_gradient(0) ? call.out_numel() : 0};
}

TEST(Extending, AnOperator) {
    const auto program = [] {
        graph::ProgramBuilder b("entropy");
        auto x = b.parameter("x", {graph::DType::kFloat32, {3, 4}}, graph::normal(1));
        b.output("y", b.call("aten::special_entr", {x}));
        return b.finish();
    };
    const auto refused = program();
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(graph::GraphError::kForbiddenOperator));

    const Status added =
        graph::register_operator({"aten::special_entr(Tensor self) -> Tensor", graph::Effect::kPure,
                                  entropy_terms, graph::kBySchema, graph::Permission::kHosts});
    ASSERT_TRUE(added) << added.error().to_string();

    auto cost = graph::count_cost(*value_or_throw(program()));
    ASSERT_TRUE(cost) << cost.error().to_string();
    EXPECT_EQ(cost->forward_flops, 12U);
    EXPECT_EQ(cost->training_flops, 24U);
}

// Squared ReLU (So et al., Primer, NeurIPS 2021) on twice as many features: 4·D² weights.
graph::ValueId squared_relu(blueprints::Branch& branch) {
    auto& b = branch.b;
    const auto d = branch.features;
    auto normed = branch.norm("norm", branch.x, d);
    auto wide = branch.project("up", normed, d, 2 * d, graph::kaiming_normal(d));
    auto positive = graph::relu(b, wide, "trunk");
    auto squared = b.call("aten::mul.Tensor", {positive, positive}, "trunk");
    return branch.readout(squared, 2 * d);
}

TEST(Extending, ABlueprint) {
    blueprints::register_blueprint(
        {"squared_relu", {graph::AnchorKind::kVector, graph::AnchorKind::kTokens}, squared_relu});

    auto host = core::make_host({.kind = "gpt", .depth = 2, .width = 32, .context = 8});
    ASSERT_TRUE(host);
    auto types = graph::anchor_types(**host);
    ASSERT_TRUE(types);
    auto made = blueprints::make_blueprint("squared_relu", (*host)->anchors()[1], (*types)[1]);
    ASSERT_TRUE(made) << made.error().to_string();
    EXPECT_TRUE(graph::validate_blueprint_operators(*made->program));
    EXPECT_TRUE(graph::count_cost(*made->program));
    graph::testing::Bench bench(made->program);
    auto x = graph::testing::input_for(made->program->inputs()[0], 2);
    for (const auto& [name, gradient] : bench.gradients({x}))
        EXPECT_TRUE(gradient.defined()) << name;
}

// A linear path around one hidden layer.
Result<graph::ProgramPtr> make_wide_and_deep(const core::HostSpec& spec) {
    graph::ProgramBuilder b("wide-and-deep");
    auto x = b.input("x", {graph::DType::kFloat32, {-1, spec.features}});
    auto init = graph::kaiming_normal(spec.features);
    auto hidden = graph::linear(b, "deep.0", x, {spec.features, spec.width}, init);
    hidden = graph::relu(b, hidden, "deep.1");
    b.anchor("deep.0", graph::AnchorKind::kVector, hidden, spec.width, x);
    auto wide = graph::linear(b, "wide", x, {spec.features, spec.classes}, init);
    auto deep = graph::linear(b, "deep.2", hidden, {spec.width, spec.classes},
                              graph::variance_matched(spec.width));
    b.output("logits", graph::add(b, wide, deep, ""));
    return b.finish();
}

TEST(Extending, AHost) {
    core::register_host("wide_and_deep", make_wide_and_deep);

    auto host = core::make_host({.kind = "wide_and_deep", .width = 32, .features = 20});
    ASSERT_TRUE(host) << host.error().to_string();
    auto model = core::wrap(*host);
    ASSERT_TRUE(model);
    EXPECT_EQ(model->summary(), "1 anchor, 1 seed, 1,212 parameters");
    graph::testing::Bench bench(*host);
    auto logits = bench.run({graph::testing::input_for((*host)->inputs()[0], 3)}).front();
    EXPECT_EQ(logits.sizes(), (at::IntArrayRef{3, 10}));
}

std::string read(const std::string& path) {
    std::ifstream file(std::string(ESPER_SOURCE_DIR) + "/" + path);
    EXPECT_TRUE(file) << path;
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

/// Without white space, so that layout may differ.
std::string without_space(std::string text) {
    std::erase_if(text, [](unsigned char c) { return std::isspace(c) != 0; });
    return text;
}

TEST(Extending, TheExamplesOfThePageAreTheOnesTested) {
    const auto page = read("docs/extending.md");
    const auto tested = without_space(read("tests/core/extending_test.cpp"));
    int examples = 0;
    const std::string fence = "```cpp\n";
    for (auto at = page.find(fence); at != std::string::npos; at = page.find(fence, at)) {
        at += fence.size();
        const auto end = page.find("```", at);
        ASSERT_NE(end, std::string::npos);
        const auto example = page.substr(at, end - at);
        EXPECT_NE(tested.find(without_space(example)), std::string::npos) << example;
        at = end + 3;
        ++examples;
    }
    EXPECT_EQ(examples, 6);
}

}  // namespace
}  // namespace esper
