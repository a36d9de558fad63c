#include "esper/services/tolaria/learn/layer_rates.h"

#include <gtest/gtest.h>

#include "esper/program/builder.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {
namespace {

using graph::DType;

/// One matrix after another.
graph::ProgramPtr chain(const std::vector<std::string>& names) {
    graph::ProgramBuilder b("chain");
    auto x = b.input("x", {DType::kFloat32, {-1, 4}});
    for (const auto& name : names) {
        auto w = b.parameter(name, {DType::kFloat32, {4, 4}}, {graph::Init::Kind::kNormal, 0.3});
        x = b.call("aten::linear", {x, w, graph::none()}, "layer");
    }
    b.output("logits", x);
    return value_or_throw(b.finish());
}

using Rates = std::map<std::string, double, std::less<>>;

TEST(LayerRates, FallFromTheOutputToTheInput) {
    const auto program = chain({"stem.w", "blocks.0.a", "blocks.0.b", "blocks.1.a", "head.w"});
    EXPECT_EQ(layer_rates(*program, 0.5), (Rates{{"stem.w", 0.125},
                                                 {"blocks.0.a", 0.25},
                                                 {"blocks.0.b", 0.25},
                                                 {"blocks.1.a", 0.5},
                                                 {"head.w", 1}}));
}

TEST(LayerRates, TheLastLayerHasTheWholeRateWhateverItsName) {
    EXPECT_EQ(layer_rates(*chain({"0.w", "2.w"}), 0.5), (Rates{{"0.w", 0.5}, {"2.w", 1}}));
    EXPECT_EQ(layer_rates(*chain({"first.w", "second.w"}), 0.5),
              (Rates{{"first.w", 1}, {"second.w", 1}}));
}

TEST(LayerRates, ACopyIsInTheLayerThatItWasSplitFrom) {
    EXPECT_EQ(layer_rates(*chain({"blocks.0.w", "blocks.0-2.w", "blocks.1.w"}), 0.5),
              (Rates{{"blocks.0.w", 0.5}, {"blocks.0-2.w", 0.5}, {"blocks.1.w", 1}}));
}

TEST(ParameterKeys, WhatActsOnNoParameterIsRefused) {
    const auto program = chain({"stem.w", "blocks.0.w", "head.w"});
    configs::OptimizationConfig config;
    EXPECT_TRUE(check_parameter_keys(config, *program));
    config.layer_decay = 0.5;
    config.groups = {"blocks.** rate=0.1", "seed.** rate=0", "*.w weight_decay=0"};
    EXPECT_TRUE(check_parameter_keys(config, *program));
    EXPECT_TRUE(check_parameter_keys(config, *chain({"a.w", "b.w"}))
                    .error()
                    .is(TolariaError::kUnsupported));
    config.groups = {"block.** rate=0.1"};
    const auto refused = check_parameter_keys(config, *program);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("blocks.0.w"), std::string::npos);
}

}  // namespace
}  // namespace esper::tolaria
