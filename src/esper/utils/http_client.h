#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "esper/base/clock.h"
#include "esper/base/error.h"

namespace esper::utils {

#define ESPER_HTTP_ERRORS(X)                                                                    \
    X(kBadRequest, kUsage)      /* no http(s) URL, or a header that cannot be sent */           \
    X(kConnect, kRuntime)       /* name not found, connection refused */                        \
    X(kTls, kVerification)      /* the other side's certificate was not accepted */             \
    X(kTimedOut, kRuntime)      /* connecting, answering or the whole exchange took too long */ \
    X(kBroken, kRuntime)        /* the connection ended in the middle of the exchange */        \
    X(kTooLarge, kRuntime)      /* the answer exceeds the limit */                              \
    X(kRefusedBySink, kRuntime) /* the receiver of the body said stop */                        \
    X(kGivenUp, kRuntime)       /* the caller's give_up() said so */                            \
    X(kBusy, kRuntime)          /* no free connection within the time allowed */                \
    X(kClientStatus, kRuntime)  /* 4xx, from require_success() */                               \
    X(kServerStatus, kRuntime)  /* 5xx, from require_success() */                               \
    X(kOtherStatus, kRuntime)   /* 1xx, 3xx, from require_success() */
ESPER_DEFINE_ERRORS(HttpError, "http", ESPER_HTTP_ERRORS)

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
    std::string method = "GET";
    std::string url{};
    HttpHeaders headers{};
    std::string_view body{};
    /// Whether the request may be sent twice without harm. By default this follows the method as
    /// HTTP defines it: GET, HEAD, PUT, DELETE and OPTIONS may be repeated, POST and PATCH not.
    std::optional<bool> repeatable{};
    /// Receives the body of a 2xx answer piece by piece; HttpResponse::body stays empty. Returning
    /// false stops the exchange. After the first piece the request is not repeated.
    std::function<bool(std::string_view)> sink{};
    /// Replaces HttpOptions::timeout for this request.
    std::optional<std::chrono::milliseconds> timeout{};
    /// Is asked about once a second; true ends the exchange.
    std::function<bool()> give_up{};
};

enum class HttpKind : std::uint8_t { kSuccess, kClientError, kServerError, kOther };

struct HttpResponse {
    int status = 0;
    HttpHeaders headers;  ///< names in lower case
    std::string body;
    int attempts = 1;

    HttpKind kind() const;
    bool ok() const { return kind() == HttpKind::kSuccess; }
    /// The first header of that (lower-case) name.
    std::optional<std::string_view> header(std::string_view name) const;
};

/// The response, or kClientStatus, kServerStatus, kOtherStatus with the start of its body.
Result<HttpResponse> require_success(Result<HttpResponse> response);

struct HttpOptions {
    std::chrono::milliseconds connect_timeout{10'000};
    /// For one whole attempt.
    std::chrono::milliseconds timeout{30'000};
    /// An attempt fails when no byte is transferred for this long (checked every second). 0: no
    /// limit.
    std::chrono::milliseconds stall_timeout{15'000};
    int retries = 3;
    std::chrono::milliseconds first_delay{100};
    std::chrono::milliseconds longest_delay{5'000};
    std::size_t max_connections = 100;
    std::size_t max_connections_per_host = 20;
    /// Idle connections are closed after this time.
    std::chrono::seconds keep_alive{30};
    std::uint64_t max_body = std::uint64_t{256} << 20;
    std::string user_agent = "esper";
    std::string ca_file{};  ///< empty: the system's
    bool use_proxy = true;  ///< that the environment names, e.g. in $http_proxy
};

struct HttpStatistics {
    std::uint64_t request_count = 0;
    std::uint64_t error_count = 0;  ///< no answer, or 5xx
    std::uint64_t retry_count = 0;
    std::uint64_t connections_opened = 0;
    double total_request_seconds = 0;
    std::size_t max_connections = 0;

    double error_rate() const;
    double avg_request_ms() const;
};

/// HTTP/1.1 over pooled, kept-alive connections (libcurl). Redirects are not followed. An answer
/// with any status is a response, not an error. Failures and the statuses 429, 500, 502, 503 and
/// 504 are retried if the request may be repeated, or if the connection was refused. The delay is
/// min(longest_delay, first_delay·2ⁿ)·U(0, 1), or the answer's Retry-After, at most longest_delay.
/// Thread-safe.
class HttpClient {
  public:
    explicit HttpClient(HttpOptions options = {}, Clock& clock = system_clock());
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    Result<HttpResponse> send(const HttpRequest& request);
    Result<HttpResponse> get(std::string url) { return send({.url = std::move(url)}); }

    const HttpOptions& options() const;
    HttpStatistics statistics() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace esper::utils
