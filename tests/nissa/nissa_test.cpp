#include "esper/services/nissa/nissa.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "esper/services/nissa/routes.h"
#include "esper/services/nissa/watcher.h"
#include "nissa/files_of_a_run.h"
#include "serving/raw_client.h"

namespace esper::nissa {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

struct RoutesTest : testing::Test {
    RoutesTest() {
        make_run(above / "a b");
        index->scan();
        for (const auto& run : index->runs()) run->refresh(0);
        add_page(router);
        add_routes(router, index, serving::EventChannel::create());
    }
    serving::Response ask(const std::string& target) const {
        return router.answer(value_or_throw(serving::parse_target("GET", target)));
    }
    const TemporaryFolder above;
    const std::shared_ptr<RunIndex> index =
        std::make_shared<RunIndex>(std::vector<std::filesystem::path>{above.path()});
    serving::Router router;
};

TEST_F(RoutesTest, TheListARunItsCurvesAndItsSettingsCanBeAsked) {
    EXPECT_EQ(json::parse(ask("/api/v1/runs").text()).at("runs").at(0).at("id"), "a b");
    EXPECT_EQ(json::parse(ask("/api/v1/runs/a%20b").text()).at("run").at("name"), "small");
    const auto series = ask("/api/v1/runs/a%20b/series?metrics=val_loss&points=100&from=5&to=50");
    EXPECT_EQ(json::parse(series.text()).at("curves").at("val_loss"), (json{2.25, 1.5}));
    EXPECT_EQ(json::parse(ask("/api/v1/settings").text()).at("a b").at("run.name"), "small");
    EXPECT_EQ(json::parse(ask("/api/v1/settings?run=a+b").text()).size(), 1u);
    EXPECT_EQ(json::parse(ask("/api/v1/runs/a%20b/events?after=1").text()).at("events").size(), 0u);
    EXPECT_EQ(ask("/api/v1/runs/a%20b/growth").status, 200);
    EXPECT_TRUE(ask("/api/v1/events").events);
}

TEST_F(RoutesTest, RunsAreCountedForPrometheusAndNamedUntilTheyAreOver) {
    make_run(above / "failed", "failed");
    index->scan();
    for (const auto& run : index->runs()) run->refresh(0);
    const auto text = std::string(ask("/metrics").text());
    EXPECT_NE(text.find("esper_nissa_runs{state=\"done\"} 1\n"), std::string::npos) << text;
    EXPECT_NE(text.find("esper_nissa_runs{state=\"failed\"} 1\n"), std::string::npos);
    EXPECT_NE(text.find("esper_nissa_runs{state=\"running\"} 0\n"), std::string::npos);
    EXPECT_NE(text.find("esper_nissa_alerts{kind=\"failed\"} 1\n"), std::string::npos);
    EXPECT_NE(text.find("process_resident_memory_bytes"), std::string::npos);
    EXPECT_NE(text.find("esper_run_failed{run=\"failed\"} 1\n"), std::string::npos);
    EXPECT_EQ(text.find("a b"), std::string::npos);
}

TEST_F(RoutesTest, ARunIsAskedForSomethingOnlyWithATokenAndWhileItRuns) {
    make_run(above / "live", "running");
    index->scan();
    for (const auto& run : index->runs()) run->refresh(0);
    const auto tokens = std::make_shared<const LinkTokens>(
        LinkTokens::Options{.actions = true, .share_ns = 1LL << 50});
    serving::Router guarded;
    add_routes(guarded, index, serving::EventChannel::create(), tokens);
    const auto post = [&](const char* run, std::string body, const std::string& token) {
        auto request = value_or_throw(
            serving::parse_target("POST", "/api/v1/runs/" + std::string(run) + "/actions"));
        request.body = std::move(body);
        if (!token.empty()) request.headers.emplace_back("Authorization", "Bearer " + token);
        return guarded.answer(request).status;
    };
    const std::string pause = R"({"action":"pause_growth"})";
    EXPECT_EQ(post("live", pause, ""), 401);
    EXPECT_EQ(post("live", pause, tokens->for_looking()), 403);
    EXPECT_FALSE(std::filesystem::exists(above / "live" / "control"));
    EXPECT_EQ(post("live", pause, tokens->for_actions()), 202);
    EXPECT_FALSE(std::filesystem::is_empty(above / "live" / "control"));
    EXPECT_EQ(post("live", R"({"action":"rm -rf"})", tokens->for_actions()), 400);
    EXPECT_EQ(post("live", "[]", tokens->for_actions()), 400);
    EXPECT_EQ(post("live", pause + std::string(2000, ' '), tokens->for_actions()), 413);
    EXPECT_EQ(post("a%20b", pause, tokens->for_actions()), 409);
    EXPECT_EQ(post("nothing", pause, tokens->for_actions()), 404);
    for (const auto* path : {"/api/v1/runs", "/api/v1/events", "/metrics", "/api/v1/settings",
                             "/api/v1/runs/live", "/api/v1/runs/live/growth"}) {
        EXPECT_EQ(guarded.answer(value_or_throw(serving::parse_target("GET", path))).status, 401);
        const auto with = std::string(path) + "?token=" + tokens->for_looking();
        const auto status =
            guarded.answer(value_or_throw(serving::parse_target("GET", with))).status;
        EXPECT_TRUE(status == 200 || std::string(path) == "/api/v1/settings") << path;
    }
}

TEST_F(RoutesTest, AnUnknownRunIsNotFoundAndABadQueryIsRefused) {
    EXPECT_EQ(ask("/api/v1/runs/c").status, 404);
    EXPECT_EQ(ask("/api/v1/settings?run=c").status, 404);
    for (const auto* query : {"", "?metrics=", "?metrics=nothing", "?metrics=val_loss&x=nothing",
                              "?metrics=val_loss&points=0", "?metrics=val_loss&points=1e3",
                              "?metrics=val_loss&points=99999", "?metrics=val_loss&from=x",
                              "?metrics=val_loss&to=nan", "?metrics=val_loss&to=1e999"}) {
        const auto response = ask(std::string("/api/v1/runs/a%20b/series") + query);
        EXPECT_EQ(response.status, 400) << query;
        EXPECT_EQ(json::parse(response.text()).at("error"), "nissa.BadQuery") << query;
    }
    EXPECT_EQ(ask("/api/v1/runs/a%20b/events?after=-1").status, 400);
}

TEST_F(RoutesTest, ThePageNamesNoOtherServerAndRunsOnlyItsOwnScripts) {
    const auto page = ask("/");
    const std::string policy(serving::field_of(page.headers, "Content-Security-Policy"));
    EXPECT_NE(policy.find("default-src 'none'"), std::string::npos);
    EXPECT_NE(policy.find("script-src 'self';"), std::string::npos);
    EXPECT_EQ(page.text().find("<script>"), std::string_view::npos);
    EXPECT_EQ(page.text().find("src=\"http"), std::string_view::npos);
    EXPECT_EQ(page.text().find("href=\"http"), std::string_view::npos);
    const auto script = ask("/app.js");
    EXPECT_NE(script.text().find("Permission is hereby granted"), std::string_view::npos);
    EXPECT_EQ(ask("/style.css").content_type, "text/css; charset=utf-8");
}

TEST(WatcherTest, WhatARunWritesIsPublishedSoon) {
    const TemporaryFolder above;
    make_run(above / "a", "running");
    const auto index = std::make_shared<RunIndex>(std::vector<std::filesystem::path>{above.path()});
    const auto events = serving::EventChannel::create();
    const auto reader = events->read_from("", [] {});
    const Watcher watcher(index, events);
    std::string heard;
    const auto hear = [&](const char* what) {
        for (int i = 0; i < 1000 && heard.find(what) == std::string::npos; ++i) {
            std::this_thread::sleep_for(milliseconds(10));
            heard += reader->take(1 << 20);
        }
        return heard.find(what) != std::string::npos;
    };
    EXPECT_TRUE(hear("\"id\":\"a\"")) << heard;
    while (!watcher.is_ready()) std::this_thread::sleep_for(milliseconds(5));
    const auto began = std::chrono::steady_clock::now();
    append(above / "a" / "metrics.csv", "3,30,1.75,1.25\n");
    EXPECT_TRUE(hear("\"rows\":[[3.0,30.0,1.75,1.25]]")) << heard;
    EXPECT_LT(std::chrono::steady_clock::now() - began, milliseconds(2000));
    make_run(above / "b");
    EXPECT_TRUE(hear("\"id\":\"b\"")) << heard;
    std::filesystem::remove_all(above / "a");
    EXPECT_TRUE(hear("event: gone\ndata: {\"id\":\"a\"}")) << heard;
}

TEST(NissaTest, ItServesItsPageAndIsReadyAfterItsFirstLook) {
    const TemporaryFolder above;
    make_run(above / "a");
    const auto nissa = value_or_throw(Nissa::start({.runs = {above.path()}, .port = 0}));
    const auto address = nissa->address();
    const int port = std::stoi(address.substr(address.rfind(':') + 1));
    std::string answer;
    for (int i = 0; i < 500 && answer.find("200 OK") == std::string::npos; ++i) {
        serving::RawClient client(port);
        client.send("GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        answer = client.read();
    }
    EXPECT_NE(answer.find("200 OK"), std::string::npos) << answer;
    const auto taken = Nissa::start({.runs = {above.path()}, .port = port});
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().exit_code(), 1);
    const auto nowhere = Nissa::start({.runs = {above / "nowhere"}, .port = 0});
    ASSERT_FALSE(nowhere);
    EXPECT_TRUE(nowhere.error().is(NissaError::kNoFolder));
}

}  // namespace
}  // namespace esper::nissa
