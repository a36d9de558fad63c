#include <gtest/gtest.h>

#include "esper/configs/load.h"
#include "esper/configs/source_yaml.h"
#include "esper/configs/yaml.h"

namespace esper::configs {
namespace {

EsperConfig with_secrets() {
    EsperConfig config;
    config.storage.s3.access_key = Secret("AKIA");
    config.storage.s3.secret_key = Secret("sesame");
    config.storage.database.url = "postgres://urza:sesame@db:5432/urza";
    config.bus.redis.url = "redis://:sesame@bus:6379/0";
    config.bus.redis.password = Secret("sesame");
    return config;
}

TEST(Secrets, AreMaskedWhereverAConfigurationIsPrinted) {
    const std::string text = to_yaml(with_secrets());
    EXPECT_EQ(text.find("sesame"), std::string::npos);
    EXPECT_EQ(text.find("AKIA"), std::string::npos);
    EXPECT_NE(text.find("secret_key: \"***\""), std::string::npos) << text;
    EXPECT_NE(text.find("postgres://urza:***@db:5432/urza"), std::string::npos);
    EXPECT_EQ(to_commented_yaml(with_secrets()).find("sesame"), std::string::npos);
    for (const Difference& difference : differences(with_secrets(), EsperConfig{})) {
        EXPECT_EQ(difference.before.find("sesame"), std::string::npos) << difference.path;
    }
}

TEST(Secrets, AreMaskedInReportsOfProblems) {
    EsperConfig config = with_secrets();
    config.storage.database.url += " with a blank";
    const auto status = check_config(config);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().message().find("sesame"), std::string::npos)
        << status.error().message();
    const auto parsed = parse_config(
        "", "", {.overrides = {"storage.database.url=postgres://urza:sesame@db:5432/urza x"}});
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().message().find("sesame"), std::string::npos)
        << parsed.error().message();
}

/// What a file says, read without asking whether anything uses it yet.
EsperConfig read(const std::string& yaml) {
    Problems problems;
    const auto document = read_yaml(yaml, "x", problems);
    Assignment assignment;
    if (document) apply_yaml(*document, "x", assignment);
    EXPECT_TRUE(document && assignment.problems().empty());
    return assignment.config();
}

TEST(Secrets, SurviveWhenAskedTo) {
    EXPECT_EQ(read(to_yaml(with_secrets(), MaskSecrets::kNo)), with_secrets());
}

TEST(Secrets, AMaskReadsBackAsUnset) {
    const EsperConfig without = read(to_yaml(with_secrets()));
    EXPECT_TRUE(without.storage.s3.secret_key.empty());
    EXPECT_EQ(without.storage.database.url, "postgres://urza@db:5432/urza");
}

TEST(Secrets, OnlyThePasswordOfAUrlIsReplaced) {
    EXPECT_EQ(replace_url_password("postgres://u:p@h:5/d", "***"), "postgres://u:***@h:5/d");
    EXPECT_EQ(replace_url_password("postgres://u:p@h:5/d", ""), "postgres://u@h:5/d");
    EXPECT_EQ(replace_url_password("redis://:p@h", "***"), "redis://:***@h");
    EXPECT_EQ(replace_url_password("x://u:p@q@h/d@e:f", "***"), "x://u:***@h/d@e:f");
    for (const std::string url : {"http://h:9000", "http://u@h:9000/x:y@z", "no url: at@all", ""}) {
        EXPECT_EQ(replace_url_password(url, "***"), url);
    }
}

}  // namespace
}  // namespace esper::configs
