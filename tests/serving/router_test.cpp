#include "esper/services/serving/router.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "esper/services/serving/health.h"

namespace esper::serving {
namespace {

using nlohmann::json;

Router router_of_runs() {
    Router router;
    router.add("GET", "/runs", [](const Request&) { return content("text/plain", "all"); });
    router.add("GET", "/runs/{run}/series", [](const Request& request) {
        return content("text/plain", std::string(request.parameter("run")));
    });
    router.add(
        "POST", "/runs/{run}", [](const Request& r) { return content("text/plain", r.body); }, 5);
    router.add("GET", "/broken",
               [](const Request&) -> Response { throw std::runtime_error("no more paper"); });
    return router;
}

Response ask(const Router& router, const char* method, const char* target, std::string body = "") {
    auto request = value_or_throw(parse_target(method, target));
    request.body = std::move(body);
    return router.answer(std::move(request));
}

TEST(RouterTest, ARouteIsFoundByMethodAndPath) {
    const auto router = router_of_runs();
    EXPECT_EQ(ask(router, "GET", "/runs").text(), "all");
    EXPECT_EQ(ask(router, "HEAD", "/runs").text(), "all");
    EXPECT_EQ(ask(router, "GET", "/runs/a%2Fb/series?x=1").text(), "a/b");
    EXPECT_EQ(ask(router, "POST", "/runs/a", "12345").text(), "12345");
}

TEST(RouterTest, APathBelongsToThePatternThatNamesIt) {
    Router router;
    const auto says = [](const char* text) {
        return [text](const Request&) { return content("text/plain", text); };
    };
    router.add("GET", "/things/{id}", says("one"));
    router.add("POST", "/things/query", says("found"));
    router.add("GET", "/things/{id}/parts", says("parts"));
    EXPECT_EQ(ask(router, "GET", "/things/a").text(), "one");
    EXPECT_EQ(ask(router, "POST", "/things/query").text(), "found");
    const auto refused = ask(router, "GET", "/things/query");
    EXPECT_EQ(refused.status, 405) << "no thing is called so";
    EXPECT_EQ(field_of(refused.headers, "Allow"), "OPTIONS, POST");
    EXPECT_EQ(field_of(ask(router, "OPTIONS", "/things/query").headers, "Allow"), "OPTIONS, POST");
    EXPECT_EQ(ask(router, "POST", "/things/a").status, 405);
    EXPECT_EQ(ask(router, "GET", "/things/query/parts").text(), "parts");
}

TEST(RouterTest, AHeadMayBeRefusedBeforeItsBodyIsRead) {
    Router router;
    const auto echo = [](const Request& r) { return content("text/plain", r.body); };
    router.add("POST", "/known", echo, 10, [](const Request& head) -> std::optional<Response> {
        if (head.header("token") == "good") return std::nullopt;
        if (head.header("token") == "odd") throw std::runtime_error("no more paper");
        return problem(401, "who are you?");
    });
    router.add("POST", "/open", echo, 10);
    auto head = value_or_throw(parse_target("POST", "/known"));
    EXPECT_EQ(router.refuse(head)->status, 401);
    head.headers = {{"token", "odd"}};
    EXPECT_EQ(router.refuse(head)->status, 500);
    head.headers = {{"token", "good"}};
    EXPECT_FALSE(router.refuse(head));
    EXPECT_FALSE(router.refuse(value_or_throw(parse_target("POST", "/open"))));
    EXPECT_FALSE(router.refuse(value_or_throw(parse_target("POST", "/nothing"))));
}

TEST(RouterTest, AnUnknownPathIsNotFoundAndSaysWhich) {
    const auto router = router_of_runs();
    for (const auto* path : {"/", "/run", "/runs/", "/runs//series", "/runs/a/series/b"}) {
        const auto response = ask(router, "GET", path);
        EXPECT_EQ(response.status, 404) << path;
        EXPECT_EQ(response.content_type, "application/problem+json");
        const auto problem = json::parse(response.text());
        EXPECT_EQ(problem.at("status"), 404);
        EXPECT_EQ(problem.at("title"), "Not Found");
        EXPECT_NE(problem.at("detail").get<std::string>().find(path), std::string::npos);
    }
}

TEST(RouterTest, AnotherMethodGetsTheMethodsThatThePathTakes) {
    const auto router = router_of_runs();
    const auto response = ask(router, "DELETE", "/runs/a");
    EXPECT_EQ(response.status, 405);
    EXPECT_EQ(field_of(response.headers, "Allow"), "OPTIONS, POST");
    EXPECT_EQ(ask(router, "BREW", "/runs").status, 405);
    const auto options = ask(router, "OPTIONS", "/runs");
    EXPECT_EQ(options.status, 204);
    EXPECT_EQ(field_of(options.headers, "Allow"), "GET, HEAD, OPTIONS");
}

TEST(RouterTest, ABodyLongerThanTheRouteTakesIsRefused) {
    const auto router = router_of_runs();
    EXPECT_EQ(ask(router, "POST", "/runs/a", "123456").status, 413);
    EXPECT_EQ(ask(router, "GET", "/runs", "1").status, 413);
    EXPECT_EQ(router.most_body(value_or_throw(parse_target("POST", "/runs/a"))), 5u);
    EXPECT_EQ(router.most_body(value_or_throw(parse_target("POST", "/nowhere"))), 0u);
}

TEST(RouterTest, AHandlerThatThrowsIsAProblemAndNoCrash) {
    const auto response = ask(router_of_runs(), "GET", "/broken");
    EXPECT_EQ(response.status, 500);
    EXPECT_NE(response.text().find("no more paper"), std::string_view::npos);
}

TEST(RouterTest, AnErrorIsAProblemWithItsValueAndAFittingStatus) {
    const auto too_long = parse_target("GET", "/" + std::string(9000, 'a'));
    const auto bad = parse_target("GET", "nothing");
    EXPECT_EQ(problem(too_long.error()).status, 414);
    const auto response = problem(bad.error());
    EXPECT_EQ(response.status, 400);
    EXPECT_EQ(json::parse(response.text()).at("error"), "serving.BadTarget");
    EXPECT_EQ(problem(409, bad.error()).status, 409);
}

TEST(RouterTest, ReadyNamesWhatTheRoleWaitsForAndHealthDoesNotAsk) {
    std::vector<std::string> missing{"the first look at the runs"};
    Router router;
    add_health(router, "nissa", [&] { return missing; }, {{"sandbox", 3}});
    const auto health = ask(router, "GET", "/health");
    EXPECT_EQ(health.status, 200);
    EXPECT_EQ(json::parse(health.text()).at("status"), "up");
    EXPECT_EQ(json::parse(health.text()).at("sandbox"), 3) << "what else is said of the process";
    const auto waiting = ask(router, "GET", "/ready");
    EXPECT_EQ(waiting.status, 503);
    EXPECT_EQ(json::parse(waiting.text()).at("waits_for").at(0), missing[0]);
    missing.clear();
    EXPECT_EQ(ask(router, "GET", "/ready").status, 200);
}

}  // namespace
}  // namespace esper::serving
