#include "esper/configs/relations.h"

#include <gtest/gtest.h>

#include "esper/configs/load.h"

namespace esper::configs {
namespace {

std::string conflict(std::vector<std::string> overrides) {
    const auto result = load_config({.overrides = std::move(overrides)});
    if (result) return "";
    EXPECT_TRUE(result.error().is(ConfigError::kConflict)) << result.error().to_string();
    return result.error().message();
}

TEST(Relations, KeysThatDoNotGoTogetherAreNamed) {
    const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
        {{"model.heads=3"}, "model.width, model.heads: the heads must share the width evenly"},
        {{"model.host=mlp"}, "model.host, data.kind: text needs a gpt"},
        {{"data.kind=drawn"}, "model.host, data.kind: a gpt learns from text"},
        {{"data.context=129"}, "data.context, model.context: examples of 129 characters"},
        {{"model.host=resnet", "data.kind=drawn", "model.depth=9"},
         "model.depth, model.host: a resnet has 6n+2 layers (8, 14, 20, …), got 9"},
        {{"data.split.train=0.9"},
         "data.split.train, data.split.probe, data.split.validation, "
         "data.split.test: the four parts are disjoint"},
        {{"data.kind=cifar10", "model.host=vgg"},
         "data.split.test, data.kind: cifar10 brings its own test images"},
        {{"data.kind=cifar100", "model.host=vgg"},
         "data.split.test, data.kind: cifar100 brings its own test images"},
        {{"data.kind=table", "model.host=resnet", "model.depth=8"},
         "model.host, data.kind: a table needs an mlp"},
        {{"data.split.test=0"}, "data.split.test, data.kind: this data has no test part"},
        {{"data.path="}, "data.path, data.kind: text is read from data.path"},
        {{"optimization.optimizer=sgd", "optimization.momentum=0"},
         "optimization.nesterov, optimization.momentum: nesterov needs a momentum"},
        {{"optimization.warmup=85%"}, "optimization.warmup, optimization.cooldown: warm-up and"},
        {{"growth.start=0.8"}, "growth.start, growth.stop: growth must start before it stops"},
        {{"optimization.cooldown=0.3"},
         "growth.stop, optimization.cooldown: nothing may germinate in the cool-down, which begins "
         "at 0.7 of the run; growth.stop is 0.8"},
        {{"controller.tournament.random_entrants=21"},
         "controller.tournament.random_entrants, controller.tournament.candidates: 21 random"},
        {{"model.norm=batch"},
         "model.norm, model.host: 'gpt' cannot be built with 'batch'; choose auto or layer"},
        {{"model.host=vgg", "data.kind=drawn", "model.norm=rms"},
         "model.norm, model.host: 'vgg' cannot be built with 'rms'; choose auto or batch or none"},
        {{"model.host=resnet", "data.kind=drawn", "model.depth=8", "model.norm=none"},
         "model.norm, model.host: 'resnet' cannot be built with 'none'; choose auto or batch"},
        {{"model.host=mlp", "data.kind=drawn", "model.dropout=0.1"},
         "model.dropout, model.host: only gpt has dropout, 'mlp' has none"},
        {{"model.path=net.pt2", "model.host=mlp"},
         "model.host, model.path: the network of model.path has its own shape"},
        {{"model.path=net.pt2", "model.width=64"}, "model.width, model.path: the network of"},
        {{"model.norm=layer", "model.path=net.pt2"}, "model.norm, model.path: the network of"},
        {{"run.finish_at=[1e12]"}, "run.finish_at, run.budget: smaller budgets need a larger one"},
        {{"run.budget=1e12", "run.finish_at=[1e12]"},
         "run.finish_at, run.budget: '1e12' is no smaller budget"},
        {{"run.budget=1e12", "run.finish_at=[5m]"},
         "run.finish_at, run.budget: '5m' is no smaller"},
        {{"run.budget=2e12", "run.finish_at=[1e12]", "optimization.schedule=constant"},
         "run.finish_at, optimization.schedule: only a schedule with a constant part"},
        {{"run.budget=5m", "growth.training=2%"},
         "growth.training, run.budget: 2% of a run that ends by the clock is no number of steps"},
    };
    for (const auto& [overrides, message] : cases) {
        const std::string expected = "command line: " + message;
        EXPECT_EQ(conflict(overrides).substr(0, expected.size()), expected);
    }
}

TEST(Relations, WhatIsNotInUseIsNotHeldAgainstAnyone) {
    for (const std::vector<std::string>& overrides : std::vector<std::vector<std::string>>{
             {"growth.enabled=false", "growth.start=0.9", "growth.stop=0.1"},
             {"model.path=net.pt2", "data.kind=drawn", "model.context=7"},
             {"model.host=vgg", "data.kind=drawn", "model.norm=none"},
             {"optimization.schedule=constant", "growth.stop=1"},
             {"optimization.momentum=0"},
             {"data.kind=cifar10", "model.host=vgg", "data.split.test=0", "data.path="},
             {"data.kind=drawn", "model.host=mlp", "data.path="}}) {
        EXPECT_EQ(conflict(overrides), "");
    }
}

TEST(Relations, AConflictPointsToTheLineThatMadeIt) {
    const auto result = parse_config("model:\n  depth: 1\n  heads: 5\n", "a.yaml");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message().find("a.yaml:3: model.width, model.heads"), 0u)
        << result.error().message();
}

TEST(Relations, ARefusedValueIsReportedOnceNotAsAConflictToo) {
    const auto result = parse_config("model:\n  width: wide\n  heads: 5\n", "a.yaml");
    ASSERT_FALSE(result);
    EXPECT_TRUE(result.error().is(ConfigError::kBadValue)) << result.error().message();
}

TEST(Relations, AConfigurationBuiltInCodeIsCheckedToo) {
    EsperConfig config;
    EXPECT_TRUE(check_config(config));
    config.growth.gate.delta = 2;
    config.model.heads = 3;
    config.optimization.betas = {0.5, 1.0};
    config.growth.strategy = static_cast<GraftingStrategy>(99);
    config.growth.anchors = {""};
    config.optimization.warmup.value = -1;
    config.run.name = "..";
    const auto status = check_config(config);
    ASSERT_FALSE(status);
    const std::string& message = status.error().message();
    EXPECT_TRUE(status.error().is(ConfigError::kSeveral));
    for (const std::string path :
         {"growth.gate.delta", "model.width, model.heads", "optimization.betas", "growth.strategy",
          "growth.anchors", "optimization.warmup", "run.name"}) {
        EXPECT_NE(message.find("configuration: " + path), std::string::npos) << message;
    }
    EXPECT_EQ(message.find("7 problems"), 0u) << message;
}

TEST(Relations, WhoSpokeLastIsBlamed) {
    const auto result =
        parse_config("model:\n  width: 64\n", "the built-in run", {.overrides = {"model.heads=3"}});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message().find("command line: model.width, model.heads"), 0u)
        << result.error().message();
}

TEST(Relations, FiguresComeWithoutTheNoiseOfTheirSum) {
    EXPECT_NE(conflict({"data.split.train=0.95"}).find("at most 1, got 1.15"), std::string::npos);
}

TEST(Relations, ANetworkNamedLaterTakesThePlaceOfAShape) {
    const std::string file = "model:\n  host: resnet\n  depth: 8\n  width: 4\n";
    const auto result = parse_config(file, "a.yaml", {.overrides = {"model.path=net.pt2"}});
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(result->config.model.host, EsperConfig{}.model.host);
    EXPECT_EQ(result->config.model.width, EsperConfig{}.model.width);
    EXPECT_FALSE(parse_config(file + "  path: net.pt2\n", "a.yaml"));
    EXPECT_FALSE(
        parse_config("model:\n  path: net.pt2\n", "a.yaml", {.overrides = {"model.width=4"}}));
}

TEST(Relations, UnlikelyChoicesAreWarnedOf) {
    EXPECT_TRUE(find_warnings(EsperConfig{}).empty());
    const auto loaded = load_config_with_origins({.overrides = {"optimization.schedule=cosine"}});
    ASSERT_TRUE(loaded) << loaded.error().message();
    ASSERT_EQ(loaded->warnings.size(), 1u);
    EXPECT_NE(loaded->warnings[0].find("growth.stop"), std::string::npos);
}

}  // namespace
}  // namespace esper::configs
