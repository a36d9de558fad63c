#include "esper/services/serving/bearer_token.h"

#include <gtest/gtest.h>

namespace esper::serving {
namespace {

std::optional<std::string> token_in(Fields headers) {
    Request request;
    request.headers = std::move(headers);
    const auto token = bearer_token(request);
    return token ? std::optional<std::string>(*token) : std::nullopt;
}

TEST(BearerToken, TheSchemeMayBeInAnyCase) {
    for (const char* header : {"Bearer abc", "bearer abc", "BEARER abc", "bEaReR   abc"})
        EXPECT_EQ(token_in({{"Authorization", header}}), "abc") << header;
    EXPECT_EQ(token_in({{"Host", "here"}, {"AUTHORIZATION", "Bearer a.b-c_d=="}}), "a.b-c_d==");
}

TEST(BearerToken, WhatIsNoneIsNone) {
    EXPECT_EQ(token_in({}), std::nullopt);
    for (const char* header : {"", "Bearer", "Bearer ", "Bearer  ", "Bearerabc", "Bearer\tabc",
                               "Basic abc", "abc", " abc", "Bearers abc"})
        EXPECT_EQ(token_in({{"Authorization", header}}), std::nullopt) << '"' << header << '"';
}

TEST(BearerToken, OfTwoHeadersNeitherCounts) {
    EXPECT_EQ(token_in({{"Authorization", "Bearer a"}, {"authorization", "Bearer a"}}),
              std::nullopt);
}

TEST(BearerToken, WhoIsNotKnownIsToldHowToAsk) {
    const auto response = unauthorized("nobody has this token", "room.Value");
    EXPECT_EQ(response.status, 401);
    EXPECT_EQ(field_of(response.headers, "www-authenticate"), "Bearer");
    EXPECT_NE(response.text().find("room.Value"), std::string_view::npos);
}

}  // namespace
}  // namespace esper::serving
