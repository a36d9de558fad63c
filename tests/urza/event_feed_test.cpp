#include "esper/services/urza/event_feed.h"

#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "esper/base/text.h"
#include "esper/services/urza/api.h"
#include "urza/small_library.h"

namespace esper::urza {
namespace {

using esper::testing::SmallLibrary;
using esper::testing::submission;
using nlohmann::json;
using serving::Response;
using std::chrono::milliseconds;

std::vector<std::string> ids_in(const std::string& stream) {
    std::vector<std::string> ids;
    for (const auto& line : split(stream, '\n'))
        if (line.starts_with("id: ")) ids.push_back(line.substr(4));
    return ids;
}

class Feed : public ::testing::Test {
  protected:
    Feed() {
        for (int width = 1; width <= 3; ++width)
            EXPECT_TRUE(library_->add_blueprint(submission(width)));
    }
    Response ask(const std::string& query, serving::Fields headers = {}) {
        auto request = *serving::parse_target("GET", "/api/v1/events" + query);
        request.headers = std::move(headers);
        request.headers.emplace_back("Authorization", "Bearer " + token_);
        return router().answer(request);
    }
    serving::Router& router() {
        if (!router_) add_api(*(router_ = std::make_unique<serving::Router>()), *library_, tokens_);
        return *router_;
    }

    SmallLibrary library_;
    Tokens tokens_{library_.path() / "tokens"};
    const std::string token_ = *tokens_.add({"Ada", contracts::AccessRole::kResearcher});
    std::unique_ptr<serving::Router> router_;
};

TEST_F(Feed, AReaderGoesOnAfterItsPlaceAndIsWokenByOtherProcessesToo) {
    const auto feed = std::make_shared<EventFeed>(*library_, milliseconds(5));
    std::atomic<int> woken = 0;
    const auto reader = feed->after(1)->read_from("", [&] { ++woken; });
    const auto first = reader->take(1 << 20);
    EXPECT_EQ(ids_in(first), (std::vector<std::string>{"2", "3"}));
    EXPECT_NE(first.find("event: blueprint.submitted\ndata: {"), std::string::npos) << first;
    EXPECT_EQ(reader->take(1 << 20), "");
    for (int i = 0; i < 400 && woken == 0; ++i) std::this_thread::sleep_for(milliseconds(5));
    std::this_thread::sleep_for(milliseconds(20));
    const int before = woken;
    ASSERT_TRUE(library_.another()->add_blueprint(submission(9)));
    for (int i = 0; i < 400 && woken == before; ++i) std::this_thread::sleep_for(milliseconds(5));
    EXPECT_GT(woken, before);
    EXPECT_EQ(ids_in(reader->take(1 << 20)), (std::vector<std::string>{"4"}));
}

TEST_F(Feed, AReaderOfAnotherHistoryIsToldToBeginAgain) {
    const auto feed = std::make_shared<EventFeed>(*library_, milliseconds(5));
    const auto reader = feed->after(9)->read_from("", [] {});
    EXPECT_NE(reader->take(1000).find("event: resync\ndata: {\"why\":"), std::string::npos);
    EXPECT_EQ(reader->take(1000), "");
}

TEST_F(Feed, ALongHistoryComesInPieces) {
    const auto feed = std::make_shared<EventFeed>(*library_);
    for (int width = 4; width <= 80; ++width)
        ASSERT_TRUE(library_->add_blueprint(submission(width)));
    const auto reader = feed->after(0)->read_from("", [] {});
    std::vector<std::string> all;
    for (std::string piece; !(piece = reader->take(1)).empty();)
        for (auto& id : ids_in(piece)) all.push_back(id);
    ASSERT_EQ(all.size(), 80u);
    EXPECT_EQ(all.back(), "80");
}

TEST_F(Feed, TheOperationGivesAPageOrAStream) {
    const auto page = ask("?after=1&limit=1");
    ASSERT_EQ(page.status, 200) << page.text();
    const auto body = json::parse(page.text());
    EXPECT_EQ(body["items"][0]["number"], 2);
    EXPECT_EQ(body["items"][0]["topic"], "blueprint.submitted");
    EXPECT_EQ(body["next"], "2");
    EXPECT_EQ(json::parse(ask("?after=3").text())["next"], nullptr);
    EXPECT_EQ(json::parse(ask("", {{"Last-Event-ID", "2"}}).text())["items"].size(), 1u);
    EXPECT_EQ(ask("?after=4").status, 409);
    EXPECT_EQ(ask("?after=x").status, 400);
    EXPECT_EQ(ask("", {{"Last-Event-ID", "x-1"}}).status, 400);
    const serving::Fields stream{{"Accept", "text/event-stream"}};
    const auto opened = ask("?after=2", stream);
    ASSERT_TRUE(opened.events);
    EXPECT_EQ(opened.content_type, "text/event-stream");
    EXPECT_EQ(ids_in(opened.events->read_from("", [] {})->take(1000)).size(), 1u);
    EXPECT_FALSE(opened.is_over());
    ASSERT_TRUE(tokens_.remove("Ada"));
    EXPECT_TRUE(opened.is_over()) << "it ends with the token";
}

}  // namespace
}  // namespace esper::urza
