#include "esper/services/serving/access.h"

#include <gtest/gtest.h>

namespace esper::serving {
namespace {

int status_of(Fields headers, const Access& access = {}) {
    Request request;
    request.headers = std::move(headers);
    const auto refused = refuse_foreign(request, access);
    return refused ? refused->status : 200;
}

TEST(AccessTest, TheServerMayBeAskedUnderItsAddressAndAsLocalhost) {
    for (const auto* host : {"127.0.0.1", "127.0.0.1:8005", "[::1]:8005", "[::1]", "localhost:1",
                             "LOCALHOST", "runs.localhost:80", "192.168.1.7:8005"})
        EXPECT_EQ(status_of({{"Host", host}}), 200) << host;
}

// The name of a stranger's page may lead to 127.0.0.1.
TEST(AccessTest, AnyOtherNameIsRefusedUnlessItIsListed) {
    for (const auto* host :
         {"evil.example", "evil.example:8005", "localhost.evil.example", "127.0.0.1.evil.example",
          "127.0.0.1:x", "[::1", "[::1]x", "xlocalhost", "localhost:80:90", ".localhost"})
        EXPECT_EQ(status_of({{"Host", host}}), 403) << host;
    EXPECT_EQ(status_of({{"Host", "Lab.Example:8005"}}, {.names = {"lab.example"}}), 200);
    EXPECT_EQ(status_of({{"Host", "evil.example"}}, {.names = {"lab.example"}}), 403);
}

TEST(AccessTest, ThereMustBeExactlyOneHost) {
    EXPECT_EQ(status_of({}), 400);
    EXPECT_EQ(status_of({{"Host", ""}}), 400);
    EXPECT_EQ(status_of({{"Host", "127.0.0.1"}, {"host", "127.0.0.1"}}), 400);
}

TEST(AccessTest, OnlyThePageOfTheServerItselfMayAsk) {
    const std::pair<std::string, std::string> host{"Host", "127.0.0.1:8005"};
    EXPECT_EQ(status_of({host, {"Origin", "http://127.0.0.1:8005"}}), 200);
    for (const auto* origin : {"http://evil.example", "null", "http://127.0.0.1:8006",
                               "http://127.0.0.1:8005.evil.example", "http://localhost:8005"})
        EXPECT_EQ(status_of({host, {"Origin", origin}}), 403) << origin;
    EXPECT_EQ(status_of({host, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "no-cors"}}),
              403);
    EXPECT_EQ(status_of({host, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}}),
              200);
}

TEST(AccessTest, SafetyHeadersAreAddedWhereTheHandlerSetNone) {
    Response response;
    response.headers = {{"Content-Security-Policy", "script-src 'self'"}};
    add_safety_headers(response);
    EXPECT_EQ(field_of(response.headers, "content-security-policy"), "script-src 'self'");
    EXPECT_EQ(field_of(response.headers, "x-content-type-options"), "nosniff");
    EXPECT_EQ(field_of(response.headers, "cross-origin-resource-policy"), "same-origin");
    EXPECT_EQ(field_of(response.headers, "cache-control"), "no-store");
}

}  // namespace
}  // namespace esper::serving
