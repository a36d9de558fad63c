#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "esper/base/process_usage.h"
#include "esper/services/serving/http_server.h"
#include "esper/services/urza/api.h"
#include "serving/raw_client.h"
#include "urza/small_library.h"

// What strangers send to the library's own port. tests/serving/hostile_http_test.cpp has the rest.

namespace esper::urza {
namespace {

using serving::RawClient;
using std::chrono::milliseconds;

constexpr const char* kHost = "Host: localhost\r\n";

class HostilePort : public ::testing::Test {
  protected:
    HostilePort() {
        token_ = *tokens_.add({"Ada", contracts::AccessRole::kCurator});
        const auto router = std::make_shared<serving::Router>();
        add_api(*router, *library_, tokens_);
        serving::Limits limits;
        limits.head_time = limits.body_time = milliseconds(300);
        server_ = value_or_throw(serving::HttpServer::start(
            router, {.limits = limits,
                     .answered = [this](const auto&, const auto&, auto) { ++answered_; }}));
    }
    void TearDown() override { EXPECT_EQ(status_of(plain(token_)), 200); }
    static std::string plain(const std::string& token, const std::string& more = "") {
        return std::string("GET /api/v1/ledger/head HTTP/1.1\r\nConnection: close\r\n") + kHost +
               "Authorization: Bearer " + token + "\r\n" + more + "\r\n";
    }
    static std::string begin_post(const std::string& token, const std::string& length) {
        return std::string("POST /api/v1/blueprints HTTP/1.1\r\n") + kHost +
               "Authorization: Bearer " + token + "\r\nContent-Type: application/json\r\n" +
               length + "\r\n\r\n";
    }
    /// 0 where the server closed without an answer.
    int status_of(const std::string& bytes) {
        RawClient client(server_->port());
        client.send(bytes);
        said_ = client.read("", milliseconds(5000));
        EXPECT_TRUE(client.was_closed()) << "after: " << bytes.substr(0, 80);
        return said_.size() < 12 ? 0 : std::stoi(said_.substr(9, 3));
    }

    esper::testing::SmallLibrary library_;
    Tokens tokens_{library_.path() / "tokens"};
    std::string token_, said_;
    std::atomic<int> answered_ = 0;
    std::unique_ptr<serving::HttpServer> server_;
};

TEST_F(HostilePort, AHeadMayNotBeLong) {
    EXPECT_EQ(status_of(plain(token_, "X: " + std::string(8 << 10, 'x') + "\r\n")), 200);
    EXPECT_EQ(status_of(plain(token_, "X: " + std::string(20 << 10, 'x') + "\r\n")), 431);
    EXPECT_EQ(status_of(plain(std::string(20 << 10, 'x'))), 431);
    EXPECT_EQ(status_of(plain(std::string(9 << 10, 'x'))), 401);
    EXPECT_EQ(status_of(plain("a." + std::string(9 << 10, 'x') + ".c")), 401);
    EXPECT_EQ(status_of("GET /api/v1/blueprints?after=" + std::string(9 << 10, 'x') +
                        " HTTP/1.1\r\n" + kHost + "\r\n"),
              414);
    EXPECT_NE(said_.find("TargetTooLong"), std::string::npos);
}

TEST_F(HostilePort, TwoTokensAreNone) {
    EXPECT_EQ(status_of(plain(token_, "Authorization: Bearer " + token_ + "\r\n")), 401);
    EXPECT_EQ(status_of(plain("guessed", "Authorization: Bearer " + token_ + "\r\n")), 401);
}

TEST_F(HostilePort, WhatComesTooSlowlyIsCutOff) {
    RawClient head(server_->port()), body(server_->port());
    head.send("GET /api/v1/ledger/head HTTP/1.1\r\nX: ");
    body.send(begin_post(token_, "Content-Length: 1000"));
    for (int i = 0; i < 5; ++i) {
        head.send("x");
        body.send("x");
        std::this_thread::sleep_for(milliseconds(100));
    }
    head.read("", milliseconds(3000));
    body.read("", milliseconds(3000));
    EXPECT_TRUE(head.was_closed());
    EXPECT_TRUE(body.was_closed());
}

TEST_F(HostilePort, AStrangersBodyIsNotRead) {
    const auto before = answered_.load();
    for (const char* length :
         {"Content-Length: 17000000", "Content-Length: 30000000", "Transfer-Encoding: chunked"}) {
        EXPECT_EQ(status_of(begin_post("guessed", length)), 401) << length;
        EXPECT_EQ(said_.find("100 Continue"), std::string::npos);
        EXPECT_EQ(status_of(begin_post("guessed", length + std::string("\r\nExpect: "
                                                                       "100-continue"))),
                  401);
        EXPECT_EQ(said_.find("100 Continue"), std::string::npos);
    }
    EXPECT_EQ(answered_ - before, 6) << "each stands in the log";
    EXPECT_EQ(status_of(begin_post(token_, "Content-Length: 30000000")), 413);
    EXPECT_EQ(status_of(begin_post("guessed", "Content-Length: 99999999999")), 413);
    const auto used = value_or_throw(process_usage()).resident_bytes;
    std::vector<RawClient> many;
    for (int i = 0; i < 20; ++i) {
        many.emplace_back(server_->port());
        many.back().send(begin_post("guessed", "Content-Length: 17000000"));
        many.back().send(std::string(1 << 20, 'x'));
    }
    for (auto& each : many) each.read("\r\n\r\n", milliseconds(3000));
    const auto now = value_or_throw(process_usage()).resident_bytes;
    EXPECT_LT(now, used + (std::uint64_t{16} << 20));
}

}  // namespace
}  // namespace esper::urza
