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
    const std::string yaml = "run: {profile: testing}\nstorage: {cache_mb: 40}\n";
    EXPECT_EQ(parsed("").storage.cache_mb, 512);
    EXPECT_EQ(parsed("run: {profile: testing}\n").storage.cache_mb, 32);
    EXPECT_EQ(parsed(yaml).storage.cache_mb, 40);
    LoadOptions options;
    options.env = {{"ESPER_STORAGE__CACHE_MB", "50"}};
    EXPECT_EQ(parsed(yaml, options).storage.cache_mb, 50);
    options.overrides = {"storage.cache_mb=60"};
    EXPECT_EQ(parsed(yaml, options).storage.cache_mb, 60);
    options.overrides.push_back("storage.cache_mb=70");
    EXPECT_EQ(parsed(yaml, options).storage.cache_mb, 70);
}

TEST(Load, TheStrongestSourceChoosesTheProfile) {
    const std::string yaml = "run: {profile: testing}\n";
    LoadOptions options;
    EXPECT_EQ(parsed(yaml, options).run.profile, Profile::kTesting);
    options.env = {{"ESPER_PROFILE", "staging"}};
    EXPECT_EQ(parsed(yaml, options).run.profile, Profile::kStaging);
    EXPECT_EQ(parsed(yaml, options).services.http.timeout, Duration::seconds(45));
    options.env["ESPER_RUN__PROFILE"] = "development";
    EXPECT_EQ(parsed(yaml, options).run.profile, Profile::kDevelopment);
    EXPECT_EQ(parsed(yaml, options).logging.level, LogLevel::kDebug);
    options.profile = "production";
    EXPECT_EQ(parsed(yaml, options).run.profile, Profile::kProduction);
    EXPECT_EQ(parsed(yaml, options).storage.cache_mb, 1024);
    options.overrides = {"run.profile=phase1_mvp"};
    EXPECT_EQ(parsed(yaml, options).run.profile, Profile::kPhase1Mvp);
    EXPECT_EQ(parsed(yaml, options).growth.cooldown, Duration::epochs(5));
    EXPECT_EQ(parsed(yaml, options).storage.cache_mb, 512);
}

TEST(Load, EveryProfileIsAValidConfiguration) {
    for (const std::string name :
         {"none", "development", "testing", "staging", "production", "phase1_mvp"}) {
        LoadOptions options;
        options.profile = name;
        const auto result = load_config_with_origins(options);
        ASSERT_TRUE(result) << name << ": " << message_of(result);
        EXPECT_EQ(result->origins.at("run.profile"), "profile");
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

TEST(Load, TheEcosystemsVariablesAreHonoured) {
    LoadOptions options;
    options.env = {{"AWS_ACCESS_KEY_ID", "id"},
                   {"AWS_SECRET_ACCESS_KEY", "secret"},
                   {"AWS_ENDPOINT_URL", "https://s3.example"},
                   {"AWS_DEFAULT_REGION", "eu-west-1"},
                   {"DATABASE_URL", "postgres://u:p@db/urza"},
                   {"REDIS_URL", "redis://bus:6379/2"},
                   {"PATH", "/bin"},
                   {"ESPER_TORCH", "/opt/torch"}};
    auto config = parsed("storage: {s3: {region: us-west-2}}\n", options);
    EXPECT_EQ(config.storage.s3.access_key.reveal(), "id");
    EXPECT_EQ(config.storage.s3.secret_key.reveal(), "secret");
    EXPECT_EQ(config.storage.s3.endpoint, "https://s3.example");
    EXPECT_EQ(config.storage.s3.region, "eu-west-1");
    EXPECT_EQ(config.storage.database.url, "postgres://u:p@db/urza");
    EXPECT_EQ(config.bus.redis.url, "redis://bus:6379/2");

    // The more particular name wins; ours wins over both; an empty one counts as unset.
    options.env["AWS_REGION"] = "eu-north-1";
    options.env["AWS_ENDPOINT_URL_S3"] = "https://objects.example";
    options.env["ESPER_STORAGE__S3__ENDPOINT"] = "https://ours.example";
    options.env["REDIS_URL"] = "";
    config = parsed("", options);
    EXPECT_EQ(config.storage.s3.region, "eu-north-1");
    EXPECT_EQ(config.storage.s3.endpoint, "https://ours.example");
    EXPECT_EQ(config.bus.redis.url, "redis://localhost:6379/0");
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
    EXPECT_EQ(result->origins.at("storage.cache_mb"), "profile testing");
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
