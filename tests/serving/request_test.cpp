#include "esper/services/serving/request.h"

#include <gtest/gtest.h>

namespace esper::serving {
namespace {

TEST(RequestTest, TheTargetIsDecodedSegmentBySegment) {
    const auto request = parse_target("GET", "/runs/a%20b%2Fc/%C3%A9?points=100&name=x+y%26&flag");
    ASSERT_TRUE(request) << request.error().message();
    EXPECT_EQ(request->path, "/runs/a%20b%2Fc/%C3%A9");
    EXPECT_EQ(request->segments, (std::vector<std::string>{"runs", "a b/c", "é"}));
    EXPECT_EQ(request->asked("points"), "100");
    EXPECT_EQ(request->asked("name"), "x y&");
    EXPECT_EQ(request->asked("flag"), "");
    EXPECT_EQ(request->asked("other"), std::nullopt);
}

TEST(RequestTest, ATargetWithAHostIsTakenWithoutIt) {
    EXPECT_EQ(parse_target("GET", "http://some.where/runs?x=1")->path, "/runs");
    EXPECT_EQ(parse_target("GET", "http://some.where")->path, "/");
    EXPECT_EQ(parse_target("OPTIONS", "*")->path, "/");
}

TEST(RequestTest, WhatIsNoPathIsRefused) {
    for (const auto* target :
         {"", "runs", "/%", "/%4", "/%zz", "/%00", "/a%0d%0aX: y", "/%ff", "/%c0%af", "/../etc",
          "/a/%2e%2e/b", "/.", "/ok?x=%g1", "/ok?x=%01"}) {
        const auto request = parse_target("GET", target);
        ASSERT_FALSE(request) << target;
        EXPECT_TRUE(request.error().is(ServingError::kBadTarget)) << target;
    }
}

TEST(RequestTest, ATargetAboveEightKibibytesIsRefused) {
    EXPECT_TRUE(parse_target("GET", "/" + std::string(8191, 'a')));
    const auto request = parse_target("GET", "/" + std::string(8192, 'a'));
    ASSERT_FALSE(request);
    EXPECT_TRUE(request.error().is(ServingError::kTargetTooLong));
}

TEST(RequestTest, HeadersAreFoundInAnyCase) {
    Request request;
    request.headers = {{"Last-Event-ID", "7"}, {"last-event-id", "8"}};
    EXPECT_EQ(request.header("last-event-Id"), "7");
    EXPECT_EQ(request.header("host"), "");
}

}  // namespace
}  // namespace esper::serving
