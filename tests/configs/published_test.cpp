// The generated pages and files agree with the declarations. To generate them again:
// ESPER_REGENERATE=1 build/release/bin/configs_tests --gtest_filter='Published.*'

#include "esper/configs/published.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "esper/base/files.h"
#include "esper/configs/load.h"
#include "esper/configs/schema.h"
#include "esper/configs/yaml.h"

namespace esper::configs {
namespace {

const std::filesystem::path kRoot = ESPER_SOURCE_DIR;

void expect_current(const std::filesystem::path& path, const std::string& content) {
    if (std::getenv("ESPER_REGENERATE") != nullptr) {
        std::filesystem::create_directories((kRoot / path).parent_path());
        ASSERT_TRUE(write_file_atomic(kRoot / path, content));
    }
    const auto published = read_file(kRoot / path);
    ASSERT_TRUE(published) << published.error().message();
    EXPECT_TRUE(*published == content)
        << path << " is out of date; run this test with ESPER_REGENERATE=1";
}

TEST(Published, TheSchemaIsCurrent) { expect_current("docs/config.schema.json", json_schema()); }

TEST(Published, TheReferenceIsCurrent) {
    expect_current("docs/configuration.md", configuration_reference());
}

TEST(Published, TheDefaultFileIsCurrent) {
    expect_current("configs/default.yaml",
                   "# yaml-language-server: $schema=../docs/config.schema.json\n"
                   "# Every key with its default. Made from the declarations.\n\n" +
                       to_commented_yaml(EsperConfig{}));
}

TEST(Published, TheDefaultFileIsTheBuiltInDefault) {
    const auto config = load_config({.path = kRoot / "configs/default.yaml"});
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_TRUE(differences(*config, EsperConfig{}).empty());
    EXPECT_EQ(*config, EsperConfig{});
}

TEST(Published, EveryShippedFileLoads) {
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(kRoot / "configs")) {
        if (entry.path().extension() != ".yaml") continue;
        const auto config = load_config_with_origins({.path = entry.path()});
        ASSERT_TRUE(config) << config.error().message();
        EXPECT_EQ(config->warnings, Names{}) << entry.path();
        ++files;
    }
    EXPECT_GE(files, 6);
}

TEST(Published, TheSchemaHasEveryKeyWithItsMeaningAndRefusesOthers) {
    const auto schema = nlohmann::json::parse(json_schema());
    for (const Key& key : Schema::instance().keys()) {
        if (key.path.empty()) continue;
        const nlohmann::json* at = &schema;
        std::string path = key.path + ".";
        for (std::size_t dot; (dot = path.find('.')) != std::string::npos; path.erase(0, dot + 1)) {
            EXPECT_EQ((*at)["additionalProperties"], false) << key.path;
            ASSERT_TRUE((*at)["properties"].contains(path.substr(0, dot))) << key.path;
            at = &(*at)["properties"][path.substr(0, dot)];
        }
        EXPECT_EQ((*at)["description"], key.meaning);
    }
}

TEST(Published, TheSchemaCarriesRangesChoicesAndForms) {
    const auto schema = nlohmann::json::parse(json_schema());
    const auto& growth = schema["properties"]["growth"]["properties"];
    const auto& delta = growth["gate"]["properties"]["delta"];
    EXPECT_EQ(delta["type"], "number");
    EXPECT_EQ(delta["exclusiveMinimum"], 0);
    EXPECT_EQ(delta["exclusiveMaximum"], 1);
    EXPECT_EQ(delta["default"], 0.05);
    EXPECT_EQ(growth["strategy"]["default"], "smoothstep");
    EXPECT_EQ(growth["strategy"]["enum"].size(), 6u);
    EXPECT_EQ(growth["anchors"]["items"]["type"], "string");
    EXPECT_EQ(schema["properties"]["run"]["properties"]["seed"]["minimum"], 0);
    EXPECT_EQ(schema["properties"]["optimization"]["properties"]["betas"]["minItems"], 2);
    EXPECT_EQ(schema["properties"]["storage"]["properties"]["s3"]["properties"]["secret_key"]
                    ["writeOnly"],
              true);
}

TEST(Published, EveryKeySaysWhatItMeans) {
    for (const Key& key : Schema::instance().keys()) {
        EXPECT_NE(key.path.empty(), !key.meaning.empty()) << key.path;
    }
}

}  // namespace
}  // namespace esper::configs
