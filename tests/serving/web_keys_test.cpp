#include "esper/services/serving/web_keys.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "serving/example_keys.h"

namespace esper::serving {
namespace {

using nlohmann::json;
using testing::key_set;
using testing::kRfc7515P256;
using testing::kRfc7515Rsa;
using testing::kRfc8037Key;

json changed(const std::string& key, const json& changes) {
    auto jwk = json::parse(key);
    jwk.update(changes);
    return jwk;
}

std::string with(const std::string& key, const json& changes) {
    return changed(key, changes).dump();
}

TEST(WebKeys, TheKindOfAKeySaysItsAlgorithm) {
    const auto keys = read_web_keys(key_set(with(kRfc8037Key, {{"kid", "a"}}) + "," +
                                            with(kRfc7515P256, {{"kid", "b"}, {"use", "sig"}}) +
                                            "," + with(kRfc7515Rsa, {{"alg", "RS256"}})));
    ASSERT_TRUE(keys) << keys.error().message();
    ASSERT_EQ(keys->size(), 3u);
    EXPECT_EQ((*keys)[0].algorithm, "EdDSA");
    EXPECT_EQ((*keys)[1].algorithm, "ES256");
    EXPECT_EQ((*keys)[2].algorithm, "RS256");
    for (const auto& key : *keys) EXPECT_TRUE(key.unused.empty()) << key.unused;
}

TEST(WebKeys, AKeyForSomethingElseIsNotUsed) {
    const std::string long_key(1024 / 8 * 4 / 3, 'x');  // RSA of about 1024 bits
    const json off_curve = changed(kRfc7515P256, {{"y", json::parse(kRfc7515P256)["x"]}});
    for (const json& key :
         {changed(kRfc8037Key, {{"use", "enc"}}), changed(kRfc8037Key, {{"alg", "ES256"}}),
          changed(kRfc7515Rsa, {{"alg", "PS256"}}), changed(kRfc7515Rsa, {{"alg", "RSA-OAEP"}}),
          changed(kRfc7515Rsa, {{"n", long_key}}), changed(kRfc7515Rsa, {{"e", "AA"}}),
          changed(kRfc7515Rsa, {{"e", "AQ"}}), changed(kRfc7515Rsa, {{"e", "AQAA"}}),
          changed(kRfc7515Rsa, {{"n", std::string(2000, 'x')}}),
          changed(kRfc8037Key, {{"key_ops", {"encrypt"}}}),
          changed(kRfc8037Key, {{"crv", "Ed448"}}), changed(kRfc8037Key, {{"x", "11qY"}}),
          changed(kRfc7515P256, {{"crv", "P-384"}}), off_curve,
          changed(kRfc7515P256, {{"x", std::string(43, 'A')}, {"y", std::string(43, 'A')}}),
          changed(kRfc7515P256, {{"x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU="}}),
          json{{"kty", "oct"}, {"k", "AAAA"}}, json::object()}) {
        const auto alone = read_web_keys(key_set(key.dump()));
        ASSERT_FALSE(alone) << key;
        EXPECT_TRUE(alone.error().is(TokenError::kBadKeys));
        EXPECT_NE(alone.error().message().find("key 1: "), std::string::npos) << key;
        const auto beside = read_web_keys(
            key_set(key.dump() + "," + with(kRfc8037Key, {{"kid", "the one that is used"}})));
        ASSERT_TRUE(beside) << key << beside.error().message();
        EXPECT_FALSE((*beside)[0].unused.empty()) << key;
        EXPECT_FALSE((*beside)[0].has_signed("", std::string(64, '\0'))) << key;
    }
}

TEST(WebKeys, AFileThatWouldBeADangerIsRefused) {
    const std::string secret = with(kRfc8037Key, {{"d", "nWGx"}});
    const std::string beside = key_set(kRfc8037Key + "," + secret);
    const std::string nameless = key_set(kRfc8037Key + "," + kRfc7515P256);
    for (const std::string& text :
         {std::string(), std::string("{}"), std::string("[]"), std::string(R"({"keys":{}})"),
          key_set(""), key_set("1"), key_set(with(kRfc8037Key, {{"kid", 1}})), key_set(secret),
          beside, nameless, R"({"keys":[],"keys":[)" + kRfc8037Key + "]}",
          key_set(R"({"kty":"oct",)" + kRfc8037Key.substr(1))}) {
        const auto keys = read_web_keys(text);
        ASSERT_FALSE(keys) << text;
        EXPECT_TRUE(keys.error().is(TokenError::kBadKeys)) << text;
    }
    std::string many = kRfc8037Key;
    for (int i = 0; i < 100; ++i)
        many.append(",").append(with(kRfc8037Key, {{"kid", std::to_string(i)}}));
    EXPECT_TRUE(read_web_keys(key_set(many)).error().is(TokenError::kBadKeys));
}

}  // namespace
}  // namespace esper::serving
