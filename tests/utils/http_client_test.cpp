#include "esper/utils/http_client.h"

#include <gtest/gtest.h>

#include "utils/tcp.h"

namespace esper::utils {
namespace {

using namespace std::chrono_literals;
using test::answer;
using test::Connection;
using test::RawRequest;
using test::read_request;
using test::TcpServer;

HttpOptions quick() {
    return {.connect_timeout = 2s,
            .timeout = 5s,
            .retries = 3,
            .first_delay = 1ms,
            .longest_delay = 20ms};
}

/// Answers the n-th request of all connections with respond(n, request); n starts at 0.
class Server {
  public:
    explicit Server(std::function<std::string(int, const RawRequest&)> respond)
        : server_([this, respond = std::move(respond)](Connection& c) {
              for (;;) {
                  const RawRequest r = read_request(c);
                  if (r.head.empty()) return;
                  const std::string out = respond(count_++, r);
                  if (out == "RESET") return c.reset();
                  if (out == "CLOSE") return;
                  if (!c.write(out)) return;
              }
          }) {}
    std::string url(std::string_view path = "/") const { return server_.url(path); }
    int requests() const { return count_.load(); }
    int connections() const { return server_.connections(); }

  private:
    std::atomic<int> count_{0};
    TcpServer server_;
};

TEST(HttpClient, EveryStatusIsAnAnswerAndKindsAreDistinct) {
    Server server([](int, const RawRequest& r) {
        return answer(std::stoi(r.line().substr(r.line().find('/') + 1)), "body", "X-Odd:  v \r\n");
    });
    HttpClient client({.retries = 0});
    const std::tuple<int, HttpKind, std::optional<HttpError>> cases[] = {
        {200, HttpKind::kSuccess, std::nullopt},
        {302, HttpKind::kOther, HttpError::kOtherStatus},
        {404, HttpKind::kClientError, HttpError::kClientStatus},
        {503, HttpKind::kServerError, HttpError::kServerStatus}};
    for (const auto& [status, kind, error] : cases) {
        const auto r = client.get(server.url("/" + std::to_string(status)));
        ASSERT_TRUE(r) << r.error().to_string();
        EXPECT_EQ(r->status, status);
        EXPECT_EQ(r->kind(), kind);
        EXPECT_EQ(r->body, "body");
        EXPECT_EQ(r->header("x-odd"), "v");
        EXPECT_EQ(r->header("none"), std::nullopt);
        const auto required = require_success(r);
        EXPECT_EQ(required.has_value(), !error);
        if (error) {
            EXPECT_TRUE(required.error().is(*error));
        }
    }
    EXPECT_EQ(client.statistics().error_count, 1u);
    EXPECT_EQ(client.statistics().error_rate(), 0.25);
    EXPECT_GT(client.statistics().avg_request_ms(), 0);
    EXPECT_EQ(HttpStatistics{}.error_rate() + HttpStatistics{}.avg_request_ms(), 0);
}

TEST(HttpClient, SendsMethodHeadersAndBodyAsGiven) {
    RawRequest seen;
    Server server([&](int, const RawRequest& r) {
        seen = r;
        return answer(200, r.line().starts_with("HEAD") ? "" : "ok");
    });
    HttpClient client(quick());
    const std::string body("a\0b", 3);
    for (const char* method : {"POST", "PUT", "PATCH", "DELETE"}) {
        ASSERT_TRUE(client.send({.method = method,
                                 .url = server.url("/p?q=%2F"),
                                 .headers = {{"X-A", "1"}, {"X-Empty", ""}},
                                 .body = body}));
        EXPECT_EQ(seen.line(), std::string(method) + " /p?q=%2F HTTP/1.1");
        EXPECT_NE(seen.head.find("X-A: 1\r\n"), std::string::npos);
        EXPECT_NE(seen.head.find("X-Empty:"), std::string::npos);
        EXPECT_EQ(seen.head.find("Expect"), std::string::npos);
        EXPECT_EQ(seen.body, body);
    }
    ASSERT_TRUE(client.send({.method = "POST", .url = server.url()}));
    EXPECT_NE(seen.head.find("Content-Length: 0"), std::string::npos);
    ASSERT_TRUE(client.send({.method = "HEAD", .url = server.url()}));
    EXPECT_TRUE(seen.line().starts_with("HEAD "));
}

TEST(HttpClient, KeepsOneConnectionForManyRequests) {
    Server server([](int, const RawRequest&) { return answer(200, "x"); });
    HttpClient client(quick());
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(client.get(server.url()));
    EXPECT_EQ(server.connections(), 1);
    EXPECT_EQ(client.statistics().connections_opened, 1u);
    EXPECT_EQ(client.options().retries, 3);
}

TEST(HttpClient, RetriesWhatIsSafeToRepeatAndCountsIt) {
    for (const std::string failure : {"RESET", "CLOSE", "503"}) {
        Server server([&](int n, const RawRequest&) {
            if (n >= 2) return answer(200, "done");
            return failure == "503" ? answer(503, "busy") : failure;
        });
        HttpClient client(quick());
        const auto r = client.get(server.url());
        ASSERT_TRUE(r) << failure << r.error().to_string();
        EXPECT_EQ(r->body, "done");
        EXPECT_EQ(r->attempts, 3) << failure;
        EXPECT_EQ(client.statistics().retry_count, 2u);
        EXPECT_EQ(client.statistics().request_count, 1u);
    }
}

TEST(HttpClient, ATruncatedBodyIsNeverTakenForAWholeOne) {
    TcpServer server([](Connection& c) {
        read_request(c);
        c.write("HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nhalf");
    });
    HttpClient client(quick());
    const auto r = client.get(server.url());
    ASSERT_FALSE(r);
    EXPECT_TRUE(r.error().is(HttpError::kBroken)) << r.error().to_string();
    EXPECT_EQ(server.connections(), 4);
}

TEST(HttpClient, AnAnswerThatEndsAmongItsHeadersIsBroken) {
    TcpServer server([](Connection& c) {
        read_request(c);
        c.write("HTTP/1.1 200 X\r\nETag: \"x\"\r\nContent-Le");
    });
    HttpClient client({.retries = 0});
    const auto r = client.get(server.url());
    ASSERT_FALSE(r);
    EXPECT_TRUE(r.error().is(HttpError::kBroken)) << r.error().to_string();
}

TEST(HttpClient, DoesNotRepeatAPostUnlessToldThatItMay) {
    Server server([](int, const RawRequest&) { return answer(503, "busy"); });
    HttpClient client(quick());
    EXPECT_EQ(client.send({.method = "POST", .url = server.url()})->status, 503);
    EXPECT_EQ(server.requests(), 1);
    EXPECT_EQ(client.send({.method = "POST", .url = server.url(), .repeatable = true})->attempts,
              4);
    EXPECT_EQ(client.send({.url = server.url(), .repeatable = false})->attempts, 1);
}

TEST(HttpClient, DoesNotRepeatWhatTheClientDidWrong) {
    Server server([](int, const RawRequest&) { return answer(400, "no"); });
    HttpClient client(quick());
    EXPECT_EQ(client.get(server.url())->attempts, 1);
    EXPECT_EQ(client.statistics().error_count, 0u);
}

TEST(HttpClient, WaitsAsLongAsRetryAfterAsksUpToItsLimit) {
    for (const auto& [header, limit, expected] :
         {std::tuple{"Retry-After: 7\r\n", 10s, 7s}, {"Retry-After: 999999\r\n", 10s, 10s}}) {
        Server server([&, h = header](int n, const RawRequest&) {
            return n == 0 ? answer(503, "", h) : answer(200, "");
        });
        ManualClock clock;
        HttpClient client({.longest_delay = limit}, clock);
        const auto before = clock.now_ns();
        ASSERT_TRUE(client.get(server.url())->ok());
        EXPECT_EQ(clock.now_ns() - before, std::chrono::nanoseconds(expected).count());
    }
}

TEST(HttpClient, DelaysGrowAndAreSpreadByChance) {
    Server server([](int, const RawRequest&) { return answer(503, "", "Retry-After: soon\r\n"); });
    std::vector<std::int64_t> totals;
    for (int i = 0; i < 5; ++i) {
        ManualClock clock;
        HttpClient client({.retries = 4, .first_delay = 1s, .longest_delay = 4s}, clock);
        EXPECT_EQ(client.get(server.url())->attempts, 5);
        totals.push_back(clock.now_ns());
        EXPECT_LE(clock.now_ns(), std::chrono::nanoseconds(1s + 2s + 4s + 4s).count());
    }
    std::sort(totals.begin(), totals.end());
    EXPECT_EQ(std::unique(totals.begin(), totals.end()), totals.end());
}

TEST(HttpClient, ARefusedConnectionIsAnErrorOfItsOwnAndAlwaysRetried) {
    HttpClient client(quick());
    const auto r = client.send(
        {.method = "POST", .url = "http://127.0.0.1:" + std::to_string(test::closed_port())});
    ASSERT_FALSE(r);
    EXPECT_TRUE(r.error().is(HttpError::kConnect)) << r.error().to_string();
    EXPECT_EQ(client.statistics().retry_count, 3u);
    EXPECT_EQ(client.statistics().error_count, 1u);
}

TEST(HttpClient, GivesUpOnAServerThatDoesNotAnswerInTime) {
    TcpServer server([](Connection& c) {
        while (!c.read_some().empty()) {
        }
    });
    HttpClient client({.retries = 0});
    const auto r = client.send({.url = server.url(), .timeout = 100ms});
    ASSERT_FALSE(r);
    EXPECT_TRUE(r.error().is(HttpError::kTimedOut));
}

TEST(HttpClient, EndsSoonWhereNobodyWaitsForTheAnswerAnyMore) {
    TcpServer server([](Connection& c) {
        while (!c.read_some().empty()) {
        }
    });
    HttpClient client({.retries = 3});
    const auto begun = std::chrono::steady_clock::now();
    const auto r = client.send({.url = server.url(), .give_up = [&] {
                                    return std::chrono::steady_clock::now() - begun > 100ms;
                                }});
    ASSERT_FALSE(r);
    EXPECT_TRUE(r.error().is(HttpError::kGivenUp)) << r.error().to_string();
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 3s);
    EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, GivesUpOnAServerThatStalls) {
    TcpServer server([](Connection& c) {
        read_request(c);
        c.write("HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nhalf");
        while (!c.read_some().empty()) {
        }
    });
    HttpClient client({.stall_timeout = 300ms, .retries = 0});
    const auto r = client.get(server.url());
    ASSERT_FALSE(r);
    EXPECT_TRUE(r.error().is(HttpError::kTimedOut)) << r.error().to_string();
}

TEST(HttpClient, RefusesAnswersBeyondTheLimit) {
    Server server([](int, const RawRequest&) { return answer(200, std::string(1000, 'x')); });
    HttpClient client({.max_body = 999});
    const auto r = client.get(server.url());
    ASSERT_FALSE(r);
    EXPECT_TRUE(r.error().is(HttpError::kTooLarge));
    EXPECT_EQ(server.requests(), 1);
}

TEST(HttpClient, HandsTheBodyToASinkThatMayStopIt) {
    Server server([](int, const RawRequest&) { return answer(200, std::string(100'000, 'x')); });
    HttpClient client(quick());
    std::size_t got = 0;
    const auto whole = client.send({.url = server.url(), .sink = [&](std::string_view piece) {
                                        got += piece.size();
                                        return true;
                                    }});
    ASSERT_TRUE(whole);
    EXPECT_EQ(got, 100'000u);
    EXPECT_TRUE(whole->body.empty());
    const auto stopped = client.send({.url = server.url(), .sink = [](auto) { return false; }});
    ASSERT_FALSE(stopped);
    EXPECT_TRUE(stopped.error().is(HttpError::kRefusedBySink));
}

TEST(HttpClient, DoesNotRepeatOnceASinkHasReceivedSomething) {
    TcpServer server([](Connection& c) {
        read_request(c);
        c.write("HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nhalf");
    });
    HttpClient client(quick());
    std::string got;
    const auto r = client.send({.url = server.url(), .sink = [&](std::string_view piece) {
                                    got += piece;
                                    return true;
                                }});
    ASSERT_FALSE(r);
    EXPECT_EQ(got, "half");
    EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, RefusesUrlsAndHeadersThatCannotBeSent) {
    HttpClient client;
    for (const HttpRequest& r : {HttpRequest{.url = "ftp://x/"}, HttpRequest{.url = "http://"},
                                 HttpRequest{.url = "http://x/\r\nHost: y"},
                                 HttpRequest{.url = "http://x/", .headers = {{"A", "b\nC: d"}}},
                                 HttpRequest{.url = "http://x:y/"}}) {
        const auto result = client.send(r);
        ASSERT_FALSE(result);
        EXPECT_TRUE(result.error().is(HttpError::kBadRequest)) << result.error().to_string();
    }
}

TEST(HttpClient, ReportsATlsFailureAsWhatItIs) {
    TcpServer server([](Connection& c) {
        c.read_some();
        c.write(answer(400, "this is no TLS"));
    });
    HttpClient client({.retries = 0});
    std::string url = server.url();
    url.replace(0, 4, "https");
    const auto r = client.get(url);
    ASSERT_FALSE(r);
    EXPECT_TRUE(r.error().is(HttpError::kTls)) << r.error().to_string();
    HttpClient other({.retries = 0, .ca_file = "/nonexistent"});
    EXPECT_TRUE(other.get(url).error().is(HttpError::kTls));
}

TEST(HttpClient, LimitsConnectionsPerHostAndSaysWhenItIsBusy) {
    std::atomic<int> running{0};
    std::atomic<int> most{0};
    std::atomic<bool> release{false};
    Server server([&](int, const RawRequest& r) {
        if (r.line().find("/slow") != std::string::npos) {
            const int now = ++running;
            most = std::max(most.load(), now);
            while (!release) std::this_thread::sleep_for(1ms);
            --running;
        }
        return answer(200, "");
    });
    HttpClient client({.retries = 0, .max_connections = 3, .max_connections_per_host = 2});
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] { EXPECT_TRUE(client.get(server.url("/slow"))); });
    }
    while (running < 2) std::this_thread::sleep_for(1ms);
    const auto busy = client.send({.url = server.url(), .timeout = 20ms});
    ASSERT_FALSE(busy);
    EXPECT_TRUE(busy.error().is(HttpError::kBusy));
    release = true;
    for (auto& t : threads) t.join();
    EXPECT_EQ(most.load(), 2);
    EXPECT_EQ(server.connections(), 2);
}

TEST(HttpClient, AFullPoolGivesAnIdleHandleToAnotherHost) {
    Server a([](int, const RawRequest&) { return answer(200, "a"); });
    Server b([](int, const RawRequest&) { return answer(200, "b"); });
    HttpClient client({.max_connections = 1});
    EXPECT_EQ(client.get(a.url())->body, "a");
    EXPECT_EQ(client.get(b.url())->body, "b");
    EXPECT_EQ(client.get(a.url())->body, "a");
}

}  // namespace
}  // namespace esper::utils
