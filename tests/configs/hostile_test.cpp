// Hostile files must be refused quickly, with the line, and without a crash.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/temporary_folder.h"
#include "esper/configs/load.h"
#include "esper/configs/yaml_node.h"

namespace esper::configs {
namespace {

void expect_refused(const std::string& yaml, ConfigError code, const std::string& message) {
    const auto result = parse_config(yaml, "h.yaml");
    ASSERT_FALSE(result) << yaml.substr(0, 200);
    EXPECT_TRUE(result.error().is(code)) << result.error().to_string();
    EXPECT_EQ(result.error().message().substr(0, message.size()), message);
}

TEST(Hostile, WhatIsNoYamlIsRefusedWithItsLine) {
    expect_refused("run:\n  name: \"op\\\"en\n", ConfigError::kSyntax,
                   "h.yaml:2: a quote is opened and never closed");
    expect_refused("run:\n  name: 'it''s open\n", ConfigError::kSyntax,
                   "h.yaml:2: a quote is opened and never closed");
    expect_refused("run: [1, 2\n", ConfigError::kSyntax, "h.yaml:");
    expect_refused("run:\n\tname: x\n", ConfigError::kSyntax,
                   "h.yaml:2: a tab stands in the indentation");
    expect_refused("a: b: c\n", ConfigError::kSyntax, "h.yaml:1: not valid YAML");
}

TEST(Hostile, AnchorsAliasesAndTagsAreRefused) {
    expect_refused("run:\n  name: &n x\n", ConfigError::kSyntax,
                   "h.yaml:2: anchors (&name) are not supported");
    expect_refused("a: &a [x]\nb: *a\n", ConfigError::kSyntax,
                   "h.yaml:1: anchors (&name) are not supported");
    expect_refused("a: &a\nb: *a\n", ConfigError::kSyntax,
                   "h.yaml:1: anchors (&name) are not supported");
    expect_refused("run: !!python/object:os.system x\n", ConfigError::kSyntax,
                   "h.yaml:1: tags are not supported, got 'tag:yaml.org,2002:python/object:os");
    expect_refused("run: !mine {seed: 1}\n", ConfigError::kSyntax,
                   "h.yaml:1: tags are not supported, got '!mine'");
}

TEST(Hostile, AnAliasBombNeverGrows) {
    std::string bomb = "a: [x, x, x, x, x, x, x, x, x]\n";
    for (char c = 'b'; c < 'k'; ++c) {
        bomb += std::string(1, c) + ": &" + c + " [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n";
    }
    expect_refused(bomb, ConfigError::kSyntax, "h.yaml:");
    expect_refused("run: *nobody\n", ConfigError::kSyntax, "h.yaml:1: ");
}

TEST(Hostile, KeysMustBeWords) {
    expect_refused("? [a, b]\n: 1\n", ConfigError::kSyntax,
                   "h.yaml:1: a key must be a word, not a list or a map");
    expect_refused("{{a: b}: c}\n", ConfigError::kSyntax,
                   "h.yaml:1: a key must be a word, not a list or a map");
    expect_refused("~: 1\n", ConfigError::kSyntax, "h.yaml:1: expected a key, got nothing");
}

TEST(Hostile, OneFileIsOneDocument) {
    expect_refused("run:\n  seed: 1\n---\nrun:\n  seed: 2\n", ConfigError::kSyntax,
                   "h.yaml:3: a second document begins");
    EXPECT_TRUE(parse_config("---\nrun:\n  seed: 1\n...\n", "h.yaml"));
}

TEST(Hostile, DepthSizeAndNumberAreLimited) {
    expect_refused("run: " + std::string(20, '[') + std::string(20, ']'), ConfigError::kTooComplex,
                   "h.yaml:1: nested more than 16 deep");
    EXPECT_FALSE(parse_config(std::string(200000, '['), "h.yaml"));
    EXPECT_FALSE(parse_config(std::string(200000, '{'), "h.yaml"));
    std::string block;
    for (int i = 0; i < 300; ++i) block += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
    expect_refused(block, ConfigError::kTooComplex, "h.yaml:17: nested more than 16 deep");
    std::string many = "run: [";
    for (int i = 0; i < 11000; ++i) many += "1,";
    expect_refused(many + "1]\n", ConfigError::kTooComplex, "h.yaml:1: more than 10000 values");
    expect_refused("# " + std::string(300000, 'x'), ConfigError::kTooComplex,
                   "h.yaml: expected at most 262144 bytes, got 300002");
}

TEST(Hostile, ALargeFileIsNotEvenRead) {
    const TemporaryFolder folder;
    const auto path = folder / "large.yaml";
    std::ofstream(path) << std::string(300000, '#');
    const auto result = load_config({.path = path});
    ASSERT_FALSE(result);
    EXPECT_TRUE(result.error().is(ConfigError::kTooComplex)) << result.error().to_string();
}

TEST(Hostile, AFolderIsNoFile) {
    const auto result = load_config({.path = std::filesystem::temp_directory_path()});
    ASSERT_FALSE(result);
    EXPECT_TRUE(result.error().is(ConfigError::kUnreadable)) << result.error().to_string();
}

TEST(Hostile, BytesThatAreNoTextAreRefusedOrReplaced) {
    EXPECT_FALSE(parse_config("", "h.yaml", {.overrides = {"data.path=\xff\xfe"}}));
    EXPECT_FALSE(parse_config("", "h.yaml", {.overrides = {"data.path=\xed\xa0\x80"}}));
    EXPECT_FALSE(parse_config("", "h.yaml", {.overrides = {"data.path=\xe0\x80\x80"}}));
    EXPECT_FALSE(parse_config("", "h.yaml", {.overrides = {"data.path=\xf0\x80\x80\x80"}}));
    EXPECT_FALSE(parse_config("", "h.yaml", {.overrides = {"data.path=\xf4\x90\x80\x80"}}));
    EXPECT_FALSE(parse_config("", "h.yaml", {.overrides = {"data.path=\xc3"}}));
    EXPECT_TRUE(parse_config("", "h.yaml", {.overrides = {"data.path=/dätå/数据/🌱.txt"}}));
    EXPECT_FALSE(parse_config("data: {path: \"a\\0b\"}\n", "h.yaml"));
}

TEST(Hostile, AProblemInTheFileDoesNotHideTheOthers) {
    const auto result = parse_config("run: [\n", "h.yaml", {.overrides = {"run.seed=x"}});
    ASSERT_FALSE(result);
    EXPECT_TRUE(result.error().is(ConfigError::kSeveral)) << result.error().to_string();
}

}  // namespace
}  // namespace esper::configs
