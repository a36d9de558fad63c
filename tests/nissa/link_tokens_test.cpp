#include "esper/services/nissa/link_tokens.h"

#include <gtest/gtest.h>

namespace esper::nissa {
namespace {

std::int64_t time_now = 0;
std::int64_t test_time() { return time_now; }

serving::Request asking(const std::string& token, const std::string& method = "GET") {
    serving::Request request;
    request.method = method;
    if (!token.empty()) request.headers.emplace_back("Authorization", "Bearer " + token);
    return request;
}

int status_of(const std::optional<serving::Response>& refused) {
    return refused ? refused->status : 200;
}

TEST(LinkTokens, WithoutOptionsEverybodyLooksAndNobodyActs) {
    const LinkTokens tokens;
    EXPECT_EQ(status_of(tokens.refuse(asking(""), Right::kLook)), 200);
    EXPECT_EQ(status_of(tokens.refuse(asking(""), Right::kAct)), 403);
    EXPECT_EQ(status_of(tokens.refuse(asking("x"), Right::kAct)), 403);
}

TEST(LinkTokens, OnlyTheTokenForActionsActs) {
    const LinkTokens tokens({.actions = true, .share_ns = 1000});
    EXPECT_NE(tokens.for_actions(), tokens.for_looking());
    EXPECT_EQ(tokens.for_actions().size(), 40U);
    EXPECT_NE(tokens.for_actions(), LinkTokens({.actions = true}).for_actions());
    EXPECT_EQ(status_of(tokens.refuse(asking(tokens.for_actions(), "POST"), Right::kAct)), 200);
    EXPECT_EQ(status_of(tokens.refuse(asking(tokens.for_looking(), "POST"), Right::kAct)), 403);
    EXPECT_EQ(status_of(tokens.refuse(asking("", "POST"), Right::kAct)), 401);
    auto wrong = tokens.for_actions();
    wrong[7] = wrong[7] == 'a' ? 'b' : 'a';
    EXPECT_EQ(status_of(tokens.refuse(asking(wrong, "POST"), Right::kAct)), 401);
    // A link that a stranger sends to somebody's browser must not act.
    auto by_query = asking("", "POST");
    by_query.query.emplace_back("token", tokens.for_actions());
    EXPECT_EQ(status_of(tokens.refuse(by_query, Right::kAct)), 401);
}

TEST(LinkTokens, ASharedLinkEnds) {
    time_now = 1000;
    const LinkTokens tokens({.actions = true, .share_ns = 500, .now_ns = test_time});
    EXPECT_EQ(tokens.ends_ns(), 1500);
    EXPECT_EQ(status_of(tokens.refuse(asking(""), Right::kLook)), 401);
    EXPECT_EQ(status_of(tokens.refuse(asking(tokens.for_looking()), Right::kLook)), 200);
    auto by_query = asking("");
    by_query.query.emplace_back("token", tokens.for_looking());
    EXPECT_EQ(status_of(tokens.refuse(by_query, Right::kLook)), 200);
    time_now = 1500;
    EXPECT_EQ(status_of(tokens.refuse(asking(tokens.for_looking()), Right::kLook)), 401);
    EXPECT_EQ(status_of(tokens.refuse(by_query, Right::kLook)), 401);
    EXPECT_EQ(status_of(tokens.refuse(asking(tokens.for_actions()), Right::kLook)), 200);
}

}  // namespace
}  // namespace esper::nissa
