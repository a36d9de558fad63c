#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "esper/base/process_usage.h"
#include "esper/services/serving/http_server.h"
#include "serving/raw_client.h"

// What a stranger may send. Each case also asks a plain question afterwards: nobody else may
// suffer.

namespace esper::serving {
namespace {

using std::chrono::milliseconds;

constexpr const char* kHost = "Host: localhost\r\n";

std::uint64_t resident() { return value_or_throw(process_usage()).resident_bytes; }

class HostileHttpTest : public testing::Test {
  protected:
    HostileHttpTest() {
        auto router = std::make_shared<Router>();
        router->add("GET", "/ping", [](const Request&) { return content("text/plain", "pong"); });
        router->add(
            "POST", "/echo", [](const Request& r) { return content("text/plain", r.body); }, 1000);
        Limits limits;
        limits.connections = 64;
        limits.head_time = milliseconds(300);
        limits.body_time = milliseconds(300);
        limits.idle_time = milliseconds(300);
        server_ = value_or_throw(HttpServer::start(router, {.limits = limits}));
    }
    void TearDown() override {
        auto client = this->client();
        client.send(std::string("GET /ping HTTP/1.1\r\n") + kHost + "\r\n");
        EXPECT_NE(client.read("pong").find("200 OK"), std::string::npos);
    }
    RawClient client() const { return RawClient(server_->port()); }
    /// The status of the answer to these bytes, after which the server must have closed; 0 where it
    /// closed without one.
    int status_of(const std::string& bytes) const {
        auto client = this->client();
        client.send(bytes);
        const auto answer = client.read("", milliseconds(5000));
        EXPECT_TRUE(client.was_closed()) << "after: " << bytes.substr(0, 80);
        return answer.size() < 12 ? 0 : std::stoi(answer.substr(9, 3));
    }

    std::unique_ptr<HttpServer> server_;
};

TEST_F(HostileHttpTest, AHeadThatComesByteByByteIsCutOffInTime) {
    std::vector<RawClient> slow;
    for (int i = 0; i < 20; ++i) {
        slow.push_back(client());
        slow.back().send("GET /ping HTTP/1.1\r\n");
    }
    for (int i = 0; i < 6; ++i) {
        for (const auto& each : slow) each.send("X");
        std::this_thread::sleep_for(milliseconds(100));
    }
    for (auto& each : slow) {
        each.read("", milliseconds(3000));
        EXPECT_TRUE(each.was_closed());
    }
}

TEST_F(HostileHttpTest, ABodyThatComesByteByByteIsCutOffInTime) {
    auto slow = client();
    slow.send(std::string("POST /echo HTTP/1.1\r\nContent-Length: 900\r\n") + kHost + "\r\n");
    for (int i = 0; i < 6; ++i) {
        slow.send("x");
        std::this_thread::sleep_for(milliseconds(100));
    }
    slow.read("", milliseconds(3000));
    EXPECT_TRUE(slow.was_closed());
}

TEST_F(HostileHttpTest, IdleConnectionsAreClosedAndTheirPlacesComeBack) {
    std::vector<RawClient> idle;
    for (int i = 0; i < 200; ++i) idle.push_back(client());
    for (auto& each : idle) {
        each.read("", milliseconds(5000));
        EXPECT_TRUE(each.was_closed());
    }
}

TEST_F(HostileHttpTest, AHeadOfFortyMebibytesIsRefusedAfterItsFirstKibibytes) {
    const std::string line = "X: " + std::string(std::size_t{40} << 20, 'x');
    const auto head = "GET /ping HTTP/1.1\r\n" + std::string(kHost) + line;
    const auto before = resident();
    EXPECT_EQ(status_of(head), 431);
    EXPECT_LT(resident(), before + (std::size_t{16} << 20));
}

TEST_F(HostileHttpTest, FourHundredThousandHeaderLinesAreRefused) {
    std::string lines;
    for (int i = 0; i < 400'000; ++i) lines += "a: b\r\n";
    EXPECT_EQ(status_of("GET /ping HTTP/1.1\r\n" + std::string(kHost) + lines + "\r\n"), 431);
}

TEST_F(HostileHttpTest, ALongTargetIsRefused) {
    EXPECT_EQ(status_of("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n" + kHost + "\r\n"), 414);
    EXPECT_EQ(status_of("GET /" + std::string(90'000, 'a') + " HTTP/1.1\r\n" + kHost + "\r\n"),
              431);
}

TEST_F(HostileHttpTest, ALengthMayBeSaidOnlyOnce) {
    const std::string post = std::string("POST /echo HTTP/1.1\r\n") + kHost;
    EXPECT_EQ(status_of(post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), 400);
    EXPECT_EQ(status_of(post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"), 400);
    EXPECT_EQ(status_of(post + "Content-Length: 3, 4\r\n\r\nabcd"), 400);
    EXPECT_EQ(status_of(post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
              400);
    EXPECT_EQ(status_of(post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
              400);
}

TEST_F(HostileHttpTest, AWrongLengthIsRefused) {
    const std::string post = std::string("POST /echo HTTP/1.1\r\n") + kHost;
    for (const auto* length : {"-1", "+3", "0x3", "3 4", "", "99999999999999999999"})
        EXPECT_EQ(status_of(post + "Content-Length: " + length + "\r\n\r\nabc"), 400) << length;
    EXPECT_EQ(status_of(post + "Content-Length: 1001\r\n\r\n"), 413);
    EXPECT_EQ(status_of(post + "Content-Length: 9223372036854775807\r\n\r\n"), 413);
}

TEST_F(HostileHttpTest, AWrongChunkIsRefused) {
    const std::string post =
        std::string("POST /echo HTTP/1.1\r\n") + kHost + "Transfer-Encoding: chunked\r\n\r\n";
    for (const auto* chunk :
         {"-2\r\nab\r\n", "g\r\n", "ffffffffffffffffff\r\n", "2\r\nabc\r\n0\r\n\r\n"})
        EXPECT_GE(status_of(post + chunk), 400) << chunk;
    EXPECT_EQ(status_of(post + "7fffffffffffffff\r\n"), 413);
    std::string many;
    for (int i = 0; i < 1001; ++i) many += "1\r\nx\r\n";
    EXPECT_EQ(status_of(post + many + "0\r\n\r\n"), 413);
}

TEST_F(HostileHttpTest, OtherCodingsAndVersionsAreRefused) {
    const std::string post = std::string("POST /echo HTTP/1.1\r\n") + kHost;
    EXPECT_EQ(status_of(post + "Transfer-Encoding: gzip\r\n\r\n"), 501);
    EXPECT_EQ(status_of(post + "Transfer-Encoding: chunked, gzip\r\n\r\n"), 501);
    EXPECT_EQ(status_of(std::string("GET /ping HTTP/2.7\r\n") + kHost + "\r\n"), 505);
    EXPECT_EQ(status_of("GET /ping HTTP/1.1\r\n\r\n"), 400);
}

TEST_F(HostileHttpTest, WhatIsNoHttpIsRefused) {
    for (const std::string& bytes :
         {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + std::string(200, '\1'),
          std::string("hello\r\n\r\n"), std::string("GET  HTTP/1.1\r\n\r\n"),
          std::string("GET /ping HTTP/1.1\r\nHost: localhost\r\nA B: c\r\n\r\n"),
          std::string("GET /ping HTTP/1.1\r\nHost: localhost\r\nA: b\r\n folded\rx\r\n\r\n"),
          std::string("GET /a\0b HTTP/1.1\r\nHost: localhost\r\n\r\n", 38)})
        EXPECT_EQ(status_of(bytes), 400) << bytes;
}

TEST_F(HostileHttpTest, AFloodOfPipelinedRequestsIsAnsweredOneByOne) {
    std::string flood;
    for (int i = 0; i < 2000; ++i) flood += std::string("GET /ping HTTP/1.1\r\n") + kHost + "\r\n";
    const auto before = resident();
    auto client = this->client();
    std::thread sender([&] { client.send(flood); });
    std::size_t answers = 0, counted = 0;
    std::string all;  // an answer may come in two pieces
    while (answers < 2000) {
        const auto text = client.read("pong", milliseconds(5000));
        if (text.empty()) break;
        all += text;
        for (auto at = all.find("pong", counted); at != std::string::npos;
             at = all.find("pong", counted)) {
            ++answers;
            counted = at + 4;
        }
    }
    sender.join();
    EXPECT_EQ(answers, 2000u);
    EXPECT_LT(resident(), before + (std::size_t{16} << 20));
}

TEST_F(HostileHttpTest, AClientThatNeverReadsDoesNotHoldTheServer) {
    std::string flood;
    for (int i = 0; i < 2000; ++i) flood += std::string("GET /ping HTTP/1.1\r\n") + kHost + "\r\n";
    const auto deaf = client();
    std::thread sender([&] {
        for (int i = 0; i < 3 && deaf.send(flood); ++i) continue;
    });
    sender.join();
}

}  // namespace
}  // namespace esper::serving
