#include "esper/services/serving/web_token.h"

#include <gtest/gtest.h>

#include <set>

#include "esper/base/files.h"
#include "serving/example_keys.h"

namespace esper::serving {
namespace {

using nlohmann::json;

std::string payload_of(const std::string& token, const std::string& key) {
    const auto keys = read_web_keys(testing::key_set(key));
    if (!keys) return keys.error().to_string();
    const auto payload = verified_payload(token, *keys);
    return payload ? *payload : payload.error().to_string();
}

TEST(WebToken, TheExamplesOfTheStandardsAreSignedByTheirKeys) {
    EXPECT_EQ(payload_of(testing::kRfc8037Token, testing::kRfc8037Key),
              "Example of Ed25519 signing");
    const std::string claims =
        "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
    EXPECT_EQ(payload_of(testing::kRfc7515RsaToken, testing::kRfc7515Rsa), claims);
    EXPECT_EQ(payload_of(testing::kRfc7515P256Token, testing::kRfc7515P256), claims);
    EXPECT_TRUE(payload_of(testing::kRfc7515P256Token, testing::kRfc7515Rsa)
                    .starts_with("token.Algorithm"));
}

TEST(WebToken, EachByteOfATokenCounts) {
    const auto keys = *read_web_keys(testing::key_set(testing::kRfc7515P256));
    const auto& token = testing::kRfc7515P256Token;
    for (std::size_t i = 0; i < token.size(); ++i) {
        auto changed = token;
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        EXPECT_FALSE(verified_payload(changed, keys)) << i;
        EXPECT_FALSE(verified_payload(token.substr(0, i), keys)) << i;
    }
}

/// tests/python/make_tokens.py makes them with PyJWT and cryptography.
class TokensOfOthers : public ::testing::Test {
  protected:
    const json made_ = json::parse(
        value_or_throw(read_file(std::string(ESPER_SOURCE_DIR) + "/tests/fixtures/tokens.json")));
    const std::vector<WebKey> keys_ = value_or_throw(read_web_keys(made_["keys"].dump()));
    const TokenRules rules_{made_["issuer"], made_["audience"]};
};

TEST_F(TokensOfOthers, EachIsTakenOrRefusedForWhatItIs) {
    int good = 0, bad = 0;
    for (const auto& given : made_["cases"]) {
        const auto token = verify_web_token(given["token"].get<std::string>(), keys_, rules_,
                                            made_["now"].get<std::int64_t>());
        const std::string said =
            token ? ""
                  : std::string(token.error().room()) + "." + std::string(token.error().name());
        EXPECT_EQ(said, given["says"].get<std::string>()) << given["name"];
        if (!token) {
            ++bad;
            continue;
        }
        ++good;
        EXPECT_EQ(token->subject, "ada@example") << given["name"];
        EXPECT_EQ(token->claims["role"], "curator") << given["name"];
    }
    EXPECT_GT(good, 10);
    EXPECT_GT(bad, 80);
}

TEST_F(TokensOfOthers, TheClockDecides) {
    const auto token = made_["cases"][0]["token"].get<std::string>();
    const auto now = made_["now"].get<std::int64_t>();
    const auto at = [&](std::int64_t seconds) {
        return verify_web_token(token, keys_, rules_, now + seconds);
    };
    EXPECT_TRUE(at(-65));
    EXPECT_TRUE(at(-66).error().is(TokenError::kNotYet));
    EXPECT_TRUE(at(359));
    EXPECT_TRUE(at(360).error().is(TokenError::kExpired));
    EXPECT_TRUE(verify_web_token(token, keys_, {rules_.issuer, "another"}, now)
                    .error()
                    .is(TokenError::kAudience));
    EXPECT_TRUE(verify_web_token(token, keys_, {"another", rules_.audience}, now)
                    .error()
                    .is(TokenError::kIssuer));
}

TEST_F(TokensOfOthers, AKeyThatIsGoneSignsNothing) {
    auto set = made_["keys"];
    set["keys"].erase(0);
    const auto keys = *read_web_keys(set.dump());
    const auto token = made_["cases"][0]["token"].get<std::string>();
    EXPECT_TRUE(verified_payload(token, keys).error().is(TokenError::kUnknownKey));
}

// Each value of the error stands in the fixture; a value that no token has would be untested.
TEST_F(TokensOfOthers, EachErrorIsAmongThem) {
    std::set<std::string> said;
    for (const auto& given : made_["cases"]) said.insert(given["says"].get<std::string>());
    for (const auto value :
         {TokenError::kMalformed, TokenError::kHeader, TokenError::kAlgorithm,
          TokenError::kUnknownKey, TokenError::kSignature, TokenError::kClaims,
          TokenError::kExpired, TokenError::kNotYet, TokenError::kIssuer, TokenError::kAudience})
        EXPECT_TRUE(said.contains("token." + std::string(esper_error_name(value))));
}

}  // namespace
}  // namespace esper::serving
