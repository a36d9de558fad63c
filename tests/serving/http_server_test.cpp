#include "esper/services/serving/http_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "esper/services/serving/event_channel.h"
#include "serving/raw_client.h"

namespace esper::serving {
namespace {

using std::chrono::milliseconds;

class HttpServerTest : public testing::Test {
  protected:
    void serve(Limits limits = {}) {
        auto router = std::make_shared<Router>();
        router->add("GET", "/hello", [](const Request& request) {
            return content("text/plain",
                           "hello " + std::string(request.asked("name").value_or("?")));
        });
        router->add(
            "POST", "/echo", [](const Request& r) { return content("text/plain", r.body); },
            100'000);
        router->add("GET", "/events",
                    [channel = channel_](const Request&) { return event_stream(channel); });
        router->add("GET", "/split", [](const Request&) {
            auto response = content("text/plain", "x");
            response.headers.emplace_back("Location", "a\r\nSet-Cookie: b");
            return response;
        });
        server_ = value_or_throw(HttpServer::start(router, {.limits = limits}));
    }
    RawClient client() const { return RawClient(server_->port()); }
    static std::string get(const std::string& target, const std::string& more = "") {
        return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n";
    }

    std::shared_ptr<EventChannel> channel_ = EventChannel::create();
    std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, OneConnectionServesManyRequests) {
    serve();
    auto client = this->client();
    for (int i = 0; i < 3; ++i) {
        client.send(get("/hello?name=ada"));
        const auto answer = client.read("hello ada");
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
        EXPECT_NE(answer.find("Content-Type: text/plain"), std::string::npos);
        EXPECT_NE(answer.find("X-Content-Type-Options: nosniff"), std::string::npos);
    }
}

TEST_F(HttpServerTest, BodiesComeWithALengthOrInChunks) {
    serve();
    auto client = this->client();
    client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nplain");
    EXPECT_NE(client.read("plain").find("200 OK"), std::string::npos);
    client.send(
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nin \r\n6\r\nchunks\r\n0\r\n\r\n");
    EXPECT_NE(client.read("in chunks").find("200 OK"), std::string::npos);
    const std::string large(90'000, 'y');
    client.send(
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
        "Content-Length: 90000\r\n\r\n");
    EXPECT_NE(client.read("\r\n\r\n").find("100 Continue"), std::string::npos);
    client.send(large);
    EXPECT_NE(client.read(large).find("200 OK"), std::string::npos);
}

TEST_F(HttpServerTest, HeadHasTheLengthAndNoBody) {
    serve();
    auto client = this->client();
    client.send("HEAD /hello?name=ada HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    const auto answer = client.read();
    EXPECT_NE(answer.find("Content-Length: 9\r\n"), std::string::npos) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
    EXPECT_TRUE(client.was_closed());
}

TEST_F(HttpServerTest, AHandlerCannotSplitAResponse) {
    serve();
    auto client = this->client();
    client.send(get("/split", "Connection: close\r\n"));
    EXPECT_EQ(client.read().find("\nSet-Cookie"), std::string::npos);
}

TEST_F(HttpServerTest, AForeignPageIsRefusedBeforeTheHandler) {
    serve();
    auto client = this->client();
    client.send("GET /hello HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    EXPECT_NE(client.read("evil.example").find("403 Forbidden"), std::string::npos);
}

TEST_F(HttpServerTest, EventsReachTheirClientsAtOnce) {
    serve();
    auto client = this->client();
    client.send(get("/events"));
    const auto head = client.read("event: hello\ndata: {}\n\n");
    EXPECT_NE(head.find("Content-Type: text/event-stream"), std::string::npos) << head;
    EXPECT_NE(head.find("X-Accel-Buffering: no"), std::string::npos);
    const auto began = std::chrono::steady_clock::now();
    channel_->publish("point", "{\"loss\":1}");
    EXPECT_NE(client.read("\"loss\":1}\n\n").find("event: point\n"), std::string::npos);
    EXPECT_LT(std::chrono::steady_clock::now() - began, milliseconds(2000));
}

TEST_F(HttpServerTest, AStreamEndsWhenItIsOver) {
    std::atomic<bool> is_over = false;
    auto router = std::make_shared<Router>();
    router->add("GET", "/events", [&](const Request&) {
        return event_stream(channel_, [&is_over] { return is_over.load(); });
    });
    Limits limits;
    limits.comment_every = milliseconds(20);
    server_ = value_or_throw(HttpServer::start(router, {.limits = limits}));
    auto told = this->client(), silent = this->client();
    for (auto* client : {&told, &silent}) {
        client->send(get("/events"));
        client->read("hello\ndata: {}\n\n");
    }
    channel_->publish("point", "1");
    for (auto* client : {&told, &silent})
        EXPECT_NE(client->read("data: 1\n\n").find("point"), std::string::npos);
    is_over = true;
    EXPECT_EQ(silent.read("", milliseconds(5000)).find("event"), std::string::npos);
    EXPECT_TRUE(silent.was_closed());
    channel_->publish("point", "secret");
    EXPECT_EQ(told.read("", milliseconds(5000)).find("secret"), std::string::npos);
    EXPECT_TRUE(told.was_closed());
}

TEST_F(HttpServerTest, ConnectionsWithoutAWordKeepNobodyOut) {
    Limits limits;
    limits.connections = 8;
    serve(limits);
    auto stream = this->client();
    stream.send(get("/events"));
    EXPECT_NE(stream.read("hello").find("200 OK"), std::string::npos);
    std::vector<RawClient> silent;
    for (int i = 0; i < 40; ++i) silent.push_back(this->client());
    for (auto& client : silent) client.send("GET /hello HTTP/1.1\r\n");
    auto client = this->client();
    client.send(get("/hello?name=ada"));
    EXPECT_NE(client.read("hello ada", milliseconds(5000)).find("200 OK"), std::string::npos);
    channel_->publish("point", "1");
    EXPECT_NE(stream.read("data: 1\n\n", milliseconds(5000)).find("point"), std::string::npos);
}

TEST_F(HttpServerTest, AClientThatComesBackGetsWhatItMissed) {
    serve();
    std::string id;
    {
        auto client = this->client();
        client.send(get("/events"));
        client.read("hello\ndata: {}\n\n");
        channel_->publish("point", "1");
        const auto event = client.read("data: 1\n\n");
        id = event.substr(event.find("id: ") + 4, event.find("\nevent") - event.find("id: ") - 4);
    }
    channel_->publish("point", "2");
    auto client = this->client();
    client.send(get("/events", "Last-Event-ID: " + id + "\r\n"));
    const auto missed = client.read("data: 2\n\n");
    EXPECT_NE(missed.find("data: 2\n\n"), std::string::npos) << missed;
    EXPECT_EQ(missed.find("data: 1\n\n"), std::string::npos);
}

TEST_F(HttpServerTest, AStreamWithoutEventsHasCommentsSoThatNothingClosesIt) {
    serve({.comment_every = milliseconds(20)});
    auto client = this->client();
    client.send(get("/events"));
    EXPECT_NE(client.read("\n:\n\n:\n\n").find("\n:\n\n:\n\n"), std::string::npos);
}

TEST_F(HttpServerTest, AStreamEndsWhenItsClientHasGone) {
    serve();
    {
        auto client = this->client();
        client.send(get("/events"));
        client.read("hello\ndata: {}\n\n");
        EXPECT_EQ(channel_->readers(), 1u);
    }
    for (int i = 0; i < 500 && channel_->readers() > 0; ++i)
        std::this_thread::sleep_for(milliseconds(10));
    EXPECT_EQ(channel_->readers(), 0u);
}

TEST_F(HttpServerTest, MoreStreamsThanAllowedAreRefusedAndTheirPlacesComeBack) {
    serve({.streams = 1});
    auto first = std::make_unique<RawClient>(server_->port());
    first->send(get("/events"));
    first->read("hello\ndata: {}\n\n");
    auto second = this->client();
    second.send(get("/events"));
    EXPECT_NE(second.read().find("503 Service Unavailable"), std::string::npos);
    first.reset();
    for (int i = 0; i < 500 && channel_->readers() > 0; ++i)
        std::this_thread::sleep_for(milliseconds(10));
    auto third = this->client();
    third.send(get("/events"));
    EXPECT_NE(third.read("hello").find("200 OK"), std::string::npos);
}

TEST_F(HttpServerTest, StopEndsStreamsAndIdleConnectionsAtOnce) {
    serve();
    auto stream = this->client(), idle = this->client();
    stream.send(get("/events"));
    stream.read("hello\ndata: {}\n\n");
    idle.send(get("/hello"));
    idle.read("hello ?");
    const auto began = std::chrono::steady_clock::now();
    server_->stop();
    EXPECT_LT(std::chrono::steady_clock::now() - began, milliseconds(1500));
    stream.read();
    idle.read();
    EXPECT_TRUE(stream.was_closed());
    EXPECT_TRUE(idle.was_closed());
    EXPECT_FALSE(client().is_connected());
    channel_->publish("point", "nobody hears this");
}

TEST_F(HttpServerTest, WhatIsNoAddressAndWhatIsTakenAreErrors) {
    serve();
    const auto router = std::make_shared<Router>();
    const auto taken = HttpServer::start(router, {.port = server_->port()});
    ASSERT_FALSE(taken);
    EXPECT_TRUE(taken.error().is(ServingError::kPortInUse));
    const auto named = HttpServer::start(router, {.host = "some.where"});
    ASSERT_FALSE(named);
    EXPECT_TRUE(named.error().is(ServingError::kBadAddress));
    EXPECT_EQ(server_->address(), "http://127.0.0.1:" + std::to_string(server_->port()));
}

}  // namespace
}  // namespace esper::serving
