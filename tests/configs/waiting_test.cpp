#include "esper/configs/waiting.h"

#include <gtest/gtest.h>

#include "esper/configs/load.h"
#include "esper/configs/yaml.h"

namespace esper::configs {
namespace {

Error refused(std::vector<std::string> overrides) {
    const auto result = load_config({.overrides = std::move(overrides)});
    EXPECT_FALSE(result);
    return result ? fail(ConfigError::kSeveral, "nothing").value() : result.error();
}

/// A value of the key that its rule takes and that is not its default; "" where none was found.
std::string another_value(std::size_t index) {
    const Key& key = Schema::instance()[index];
    static const EsperConfig defaults;
    EsperConfig config;
    auto values = key.type->choices();
    for (const char* text :
         {"true", "false", "7", "0.25", "7h", "7ep", "2048", "x", "redis://h:1/0"})
        values.emplace_back(text);
    for (const std::string& text : values) {
        const std::string_view item = text;
        if (!key.type->read(std::span(&item, 1), key.rule,
                            Schema::instance().locate(config, index)))
            continue;
        if (!(config == defaults)) return text;
    }
    return "";
}

TEST(Waiting, EveryKeyOfTheTableIsRefusedWithWhatItWaitsFor) {
    int keys = 0;
    for (std::size_t index = 0; index < Schema::instance().keys().size(); ++index) {
        const Key& key = Schema::instance()[index];
        const Waiting* waiting = find_waiting(key);
        if (waiting == nullptr || key.is_section()) continue;
        const std::string value =
            waiting->value.empty() ? another_value(index) : std::string(waiting->value);
        ASSERT_NE(value, "") << key.path;
        const Error error = refused({key.path + "=" + value});
        EXPECT_TRUE(error.is(ConfigError::kWaiting)) << error.message();
        EXPECT_EQ(error.exit_code(), 2);
        EXPECT_EQ(error.message().find("command line: " + key.path + ": "), 0u) << error.message();
        EXPECT_NE(error.message().find(waiting->waits_for), std::string::npos) << error.message();
        ++keys;
    }
    EXPECT_GT(keys, 50);
}

TEST(Waiting, EachLineOfTheTableNamesAKey) {
    for (const Waiting& waiting : waiting_keys())
        EXPECT_NE(Schema::instance().find(waiting.path), Schema::kNone) << waiting.path;
}

TEST(Waiting, TheDefaultIsTakenWhereverItIsWritten) {
    const auto config = load_config(
        {.overrides = {"run.device=cpu", "bus.kind=in_process", "telemetry.retention=72h"}});
    EXPECT_TRUE(config) << config.error().message();
}

TEST(Waiting, TheMessageSaysWhatToDo) {
    EXPECT_EQ(refused({"run.device=cuda"}).message(),
              "command line: run.device: nothing reads this key yet, it waits for training on a "
              "GPU; leave it at cpu (got cuda)");
    EXPECT_EQ(refused({"growth.isolation=reconstruction"}).message(),
              "command line: growth.isolation: 'reconstruction' is not built yet, it waits for "
              "seeds that learn to reproduce their anchor's output; choose shadow, the task's loss "
              "with the seed added in, or straight_through, the gradient at the seed's place (got "
              "reconstruction)");
    EXPECT_EQ(refused({"storage.s3.secret_key=sesame"}).message().find("sesame"),
              std::string::npos);
}

TEST(Waiting, EverySourceIsHeldToIt) {
    EXPECT_FALSE(parse_config("bus: {kind: redis}\n", "a.yaml"));
    EXPECT_FALSE(load_config({.env = {{"ESPER_BUS__KIND", "redis"}}}));
    EsperConfig config;
    config.telemetry.retention = Duration::hours(1);
    const auto status = check_config(config);
    ASSERT_FALSE(status);
    EXPECT_TRUE(status.error().is(ConfigError::kWaiting));
}

TEST(Waiting, ARunOfAnOlderVersionStillLoads) {
    const std::string file =
        "run: {profile: testing, device: cuda}\nstorage: {cache_mb: 32}\nlogging: {level: "
        "warning}\nmodel: {path: net.pt2, width: 64}\n";
    EXPECT_FALSE(parse_config(file, "config.yaml"));
    const auto saved = parse_config(file, "config.yaml", {.of_a_run = true});
    ASSERT_TRUE(saved) << saved.error().message();
    EXPECT_EQ(saved->config.storage.cache_mb, EsperConfig{}.storage.cache_mb);
    EXPECT_EQ(saved->config.run.device, DeviceType::kCpu);
    // What is asked for now is checked as ever.
    EXPECT_FALSE(
        parse_config(file, "config.yaml", {.overrides = {"bus.kind=redis"}, .of_a_run = true}));
}

TEST(Waiting, WhatIsResolvedLoadsAgain) {
    const auto first =
        parse_config("model: {width: 64}\n", "a.yaml", {.overrides = {"model.path=net.pt2"}});
    ASSERT_TRUE(first) << first.error().message();
    const auto again = parse_config(to_yaml(first->config), "again");
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->config, first->config);
}

}  // namespace
}  // namespace esper::configs
