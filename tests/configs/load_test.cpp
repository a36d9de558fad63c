#include "esper/configs/load.h"

#include <gtest/gtest.h>

#include "esper/configs/yaml.h"

namespace esper::configs {
namespace {

std::string message_of(const Result<LoadedConfig>& result) {
    return result ? "no error" : result.error().message();
}

EsperConfig parsed(std::string_view yaml, const LoadOptions& options = {}) {
    auto result = parse_config(yaml, "test.yaml", options);
    EXPECT_TRUE(result) << message_of(result);
    return result ? result->config : EsperConfig{};
}

TEST(Load, WithoutAnySourceTheDefaultsHold) {
    const auto config = load_config({});
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(*config, EsperConfig{});
    EXPECT_EQ(config->run.name, "shakespeare");
    EXPECT_EQ(config->growth.gate.delta, 0.05);
}

TEST(Load, AFileSetsItsKeysAndLeavesTheOthers) {
    const auto config = parsed(
        "run:\n"
        "  name: mine\n"
        "  seed: 18446744073709551615\n"
        "growth:\n"
        "  anchors: ['layer?.*', \"head\"]\n"
        "  strategy: drift_controlled\n"
        "  training: 1.5ep\n"
        "  gate:\n"
        "    delta: 1e-2\n"
        "optimization: {betas: [0.8, 0.95], nesterov: false}\n"
        "controller:\n");
    EsperConfig expected;
    expected.run.name = "mine";
    expected.run.seed = 18446744073709551615u;
    expected.growth.anchors = {"layer?.*", "head"};
    expected.growth.strategy = GraftingStrategy::kDriftControlled;
    expected.growth.training = Duration::epochs(1.5);
    expected.growth.gate.delta = 0.01;
    expected.optimization.betas = {0.8, 0.95};
    expected.optimization.nesterov = false;
    EXPECT_EQ(config, expected);
}

TEST(Load, AnEmptyDocumentIsTheDefault) {
    EXPECT_EQ(parsed(""), EsperConfig{});
    EXPECT_EQ(parsed("# nothing but a comment\n"), EsperConfig{});
}

TEST(Load, EachSourceWinsOverTheWeakerOnes) {
    const std::string yaml = "run: {profile: testing}\ncheckpoint: {keep: 40}\n";
    EXPECT_EQ(parsed("").checkpoint.keep, 5);
    EXPECT_EQ(parsed("run: {profile: testing}\n").checkpoint.keep, 2);
    EXPECT_EQ(parsed(yaml).checkpoint.keep, 40);
    LoadOptions options;
    options.env = {{"ESPER_CHECKPOINT__KEEP", "50"}};
    EXPECT_EQ(parsed(yaml, options).checkpoint.keep, 50);
    options.overrides = {"checkpoint.keep=60"};
    EXPECT_EQ(parsed(yaml, options).checkpoint.keep, 60);
    options.overrides.push_back("checkpoint.keep=70");
    EXPECT_EQ(parsed(yaml, options).checkpoint.keep, 70);
}

TEST(Load, TheStrongestSourceChoosesTheProfile) {
    const std::string yaml = "run: {profile: testing}\n";
    LoadOptions options;
    EXPECT_EQ(parsed(yaml, options).run.profile, Profile::kTesting);
    options.env = {{"ESPER_PROFILE", "staging"}};
    EXPECT_EQ(parsed(yaml, options).run.profile, Profile::kStaging);
    EXPECT_EQ(parsed(yaml, options).checkpoint.every, Duration::parse("10m"));
    options.env["ESPER_RUN__PROFILE"] = "development";
    EXPECT_EQ(parsed(yaml, options).run.profile, Profile::kDevelopment);
    EXPECT_EQ(parsed(yaml, options).telemetry.every, 1);
    options.profile = "production";
    EXPECT_EQ(parsed(yaml, options).run.profile, Profile::kProduction);
    EXPECT_EQ(parsed(yaml, options).checkpoint.keep, 10);
    options.overrides = {"run.profile=phase1_mvp"};
    EXPECT_EQ(parsed(yaml, options).run.profile, Profile::kPhase1Mvp);
    EXPECT_EQ(parsed(yaml, options).growth.cooldown, Duration::epochs(5));
    EXPECT_EQ(parsed(yaml, options).checkpoint.keep, 5);
}

TEST(Load, EveryProfileIsAValidConfiguration) {
    for (const std::string name :
         {"none", "development", "testing", "staging", "production", "phase1_mvp"}) {
        LoadOptions options;
        options.profile = name;
        const auto result = load_config_with_origins(options);
        ASSERT_TRUE(result) << name << ": " << message_of(result);
        EXPECT_EQ(result->origins.at("run.profile"), "profile");
        // Not a name alone: each sets something, and so something that is read.
        EXPECT_EQ(result->origins.size() == 1, name == "none") << name;
    }
}

TEST(Load, ListsComeFromTheCommandLineWithCommas) {
    LoadOptions options;
    options.overrides = {"growth.anchors=a.b, c*", "growth.blueprints=[conv, mlp]",
                         "optimization.betas=0.5,0.6"};
    const auto config = parsed("", options);
    EXPECT_EQ(config.growth.anchors, (Names{"a.b", "c*"}));
    EXPECT_EQ(config.growth.blueprints, (Names{"conv", "mlp"}));
    EXPECT_EQ(config.optimization.betas, (Pair{0.5, 0.6}));
    options.overrides = {"growth.anchors=[]"};
    EXPECT_TRUE(parsed("", options).growth.anchors.empty());
}

TEST(Load, AnOverrideMayHoldAnEqualsSign) {
    LoadOptions options;
    options.overrides = {"data.path=/data/a=b.txt"};
    EXPECT_EQ(parsed("", options).data.path, "/data/a=b.txt");
}

TEST(Load, TheEcosystemsVariablesDoNotStopARunThatDoesNotUseThem) {
    LoadOptions options;
    options.env = {{"AWS_ACCESS_KEY_ID", "id"},
                   {"AWS_SECRET_ACCESS_KEY", "secret"},
                   {"AWS_ENDPOINT_URL", "https://s3.example"},
                   {"DATABASE_URL", "postgres://u:p@db/urza"},
                   {"REDIS_URL", "nowhere"},
                   {"PATH", "/bin"},
                   {"ESPER_TORCH", "/opt/torch"}};
    EXPECT_EQ(parsed("", options), EsperConfig{});
}

TEST(Load, EachValueKnowsWhereItCameFrom) {
    LoadOptions options;
    options.env = {{"ESPER_RUN__SEED", "3"}};
    options.overrides = {"run.threads=2"};
    const auto result = parse_config("run:\n  profile: testing\n  name: x\n", "a.yaml", options);
    ASSERT_TRUE(result) << message_of(result);
    EXPECT_EQ(result->origins.at("run.name"), "a.yaml:3");
    EXPECT_EQ(result->origins.at("run.seed"), "environment variable ESPER_RUN__SEED");
    EXPECT_EQ(result->origins.at("run.threads"), "command line");
    EXPECT_EQ(result->origins.at("checkpoint.keep"), "profile testing");
    EXPECT_FALSE(result->origins.contains("run.epochs"));
}

TEST(Load, TheProcessEnvironmentCanBeRead) {
    ASSERT_EQ(setenv("ESPER_RUN__SEED", "41", 1), 0);
    const auto config = load_config({.env = process_environment()});
    unsetenv("ESPER_RUN__SEED");
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->run.seed, 41u);
}

}  // namespace
}  // namespace esper::configs
