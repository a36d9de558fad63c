#include "esper/utils/http_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <mutex>
#include <random>

#include "esper/base/ascii.h"
#include "esper/utils/curl_pool.h"

namespace esper::utils {
namespace {

void start_curl_once() {
    static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
    static_cast<void>(started);
}

/// `scheme://host:port`, or nothing when the URL is none of ours.
std::string host_of(std::string_view url) {
    if (!url.starts_with("http://") && !url.starts_with("https://")) return {};
    const auto start = url.find("://") + 3;
    const auto end = std::min(url.find_first_of("/?#", start), url.size());
    return end == start ? std::string() : std::string(url.substr(0, end));
}

bool has_line_break(std::string_view text) {
    return text.find_first_of("\r\n") != std::string_view::npos;
}

/// What one attempt gathers; handed to libcurl's callbacks.
struct Exchange {
    const HttpRequest& request;
    std::uint64_t max_body;
    CURL* handle;
    std::chrono::nanoseconds stall_timeout;
    HttpResponse response{};
    std::uint64_t delivered = 0;
    std::int64_t moved = -1;
    std::chrono::steady_clock::time_point moved_at{};
    bool stalled = false;
    bool given_up = false;
    bool head_complete = false;
    bool too_large = false;
    bool stopped = false;
};

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
    auto& x = *static_cast<Exchange*>(user);
    std::string_view line(data, size * count);
    if (line.starts_with("HTTP/")) {
        x.response.headers.clear();  // the final answer after an interim one
        x.head_complete = false;
        return line.size();
    }
    if (line == "\r\n" || line == "\n") x.head_complete = true;
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return line.size();
    auto name = lowered(std::string(line.substr(0, colon)));
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t'))
        value.remove_prefix(1);
    while (!value.empty() &&
           std::string_view(" \t\r\n").find(value.back()) != std::string_view::npos) {
        value.remove_suffix(1);
    }
    x.response.headers.emplace_back(std::move(name), value);
    return line.size();
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
    auto& x = *static_cast<Exchange*>(user);
    const std::string_view piece(data, size * count);
    long status = 0;
    curl_easy_getinfo(x.handle, CURLINFO_RESPONSE_CODE, &status);
    if (x.request.sink && status / 100 == 2) {
        x.delivered += piece.size();
        if (!x.request.sink(piece)) {
            x.stopped = true;
            return 0;
        }
        return piece.size();
    }
    if (x.response.body.size() + piece.size() > x.max_body) {
        x.too_large = true;
        return 0;
    }
    x.response.body += piece;
    return piece.size();
}

/// Called at least about once a second.
int on_progress(void* user, curl_off_t, curl_off_t down, curl_off_t, curl_off_t up) {
    auto& x = *static_cast<Exchange*>(user);
    const auto now = std::chrono::steady_clock::now();
    if (down + up != x.moved) {
        x.moved = down + up;
        x.moved_at = now;
    }
    x.stalled = x.stall_timeout.count() > 0 && now - x.moved_at > x.stall_timeout;
    x.given_up = x.request.give_up && x.request.give_up();
    return x.stalled || x.given_up ? 1 : 0;
}

Error describe(CURLcode code, const Exchange& x, const char* detail) {
    HttpError kind = HttpError::kBroken;
    switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_COULDNT_CONNECT:
            kind = HttpError::kConnect;
            break;
        case CURLE_OPERATION_TIMEDOUT:
            kind = HttpError::kTimedOut;
            break;
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_SSL_CACERT_BADFILE:
            kind = HttpError::kTls;
            break;
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL:
            kind = HttpError::kBadRequest;
            break;
        default:
            break;
    }
    if (x.too_large) {
        return fail(HttpError::kTooLarge, fmt::format("{} {}: the answer exceeds {} bytes",
                                                      x.request.method, x.request.url, x.max_body))
            .value();
    }
    if (x.given_up) {
        return fail(HttpError::kGivenUp, fmt::format("{} {}: nobody waits for the answer any more",
                                                     x.request.method, x.request.url))
            .value();
    }
    if (x.stalled) {
        return fail(HttpError::kTimedOut,
                    fmt::format("{} {}: no byte moved for {:.1f} s", x.request.method,
                                x.request.url, static_cast<double>(x.stall_timeout.count()) / 1e9))
            .value();
    }
    if (x.stopped) {
        return fail(HttpError::kRefusedBySink,
                    fmt::format("{} {}: the receiver stopped after {} bytes", x.request.method,
                                x.request.url, x.delivered))
            .value();
    }
    return fail(kind, fmt::format("{} {}: {}", x.request.method, x.request.url,
                                  *detail != '\0' ? detail : curl_easy_strerror(code)))
        .value();
}

bool is_repeatable(const HttpRequest& r) {
    if (r.repeatable) return *r.repeatable;
    return r.method == "GET" || r.method == "HEAD" || r.method == "PUT" || r.method == "DELETE" ||
           r.method == "OPTIONS";
}

bool is_worth_retrying(int status) {
    return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

bool is_worth_retrying(const Error& e) {
    return e.is(HttpError::kConnect) || e.is(HttpError::kTimedOut) || e.is(HttpError::kBroken);
}

double random_share() {
    thread_local std::minstd_rand engine{std::random_device{}()};
    return std::uniform_real_distribution<double>(0, 1)(engine);
}

using CurlList = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

}  // namespace

struct HttpClient::Impl {
    Impl(HttpOptions o, Clock& c)
        : options(std::move(o)),
          clock(c),
          pool(options.max_connections, options.max_connections_per_host) {}

    HttpOptions options;
    Clock& clock;
    CurlPool pool;
    mutable std::mutex mutex;
    HttpStatistics figures;

    Result<HttpResponse> attempt(CURL* handle, const HttpRequest& request, bool& delivered);
    void set_up(CURL* handle, const HttpRequest& request, Exchange& x, curl_slist* headers);
    std::chrono::nanoseconds delay(int attempt, const Result<HttpResponse>& result) const;
};

void HttpClient::Impl::set_up(CURL* handle, const HttpRequest& request, Exchange& x,
                              curl_slist* headers) {
    curl_easy_reset(handle);  // keeps the connection
    const auto set = [handle](CURLoption option, auto value) {
        curl_easy_setopt(handle, option, value);
    };
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PATH_AS_IS, 1L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_USERAGENT, options.user_agent.c_str());
    set(CURLOPT_HTTPHEADER, headers);
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.value_or(options.timeout).count()));
    if (options.stall_timeout.count() > 0 || request.give_up) {
        set(CURLOPT_NOPROGRESS, 0L);
        set(CURLOPT_XFERINFOFUNCTION, &on_progress);
        set(CURLOPT_XFERINFODATA, static_cast<void*>(&x));
    }
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_MAXAGE_CONN, static_cast<long>(options.keep_alive.count()));
    if (!options.use_proxy) set(CURLOPT_NOPROXY, "*");
    if (!options.ca_file.empty()) set(CURLOPT_CAINFO, options.ca_file.c_str());
    set(CURLOPT_HEADERFUNCTION, &on_header);
    set(CURLOPT_HEADERDATA, static_cast<void*>(&x));
    set(CURLOPT_WRITEFUNCTION, &on_body);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&x));
    if (request.method == "HEAD") {
        set(CURLOPT_NOBODY, 1L);
    } else if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
        set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
        set(CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
    }
    set(CURLOPT_CUSTOMREQUEST, request.method == "HEAD" ? nullptr : request.method.c_str());
}

Result<HttpResponse> HttpClient::Impl::attempt(CURL* handle, const HttpRequest& request,
                                               bool& delivered) {
    CurlList headers(nullptr, curl_slist_free_all);
    const auto add = [&headers](const std::string& line) {
        headers.reset(curl_slist_append(headers.release(), line.c_str()));
    };
    // libcurl would wait for "100 Continue", or add a type of its own choosing.
    add("Expect:");
    add("Content-Type:");
    for (const auto& [name, value] : request.headers) {
        add(value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
    }
    Exchange x{request, options.max_body, handle, options.stall_timeout};
    char detail[CURL_ERROR_SIZE] = "";
    set_up(handle, request, x, headers.get());
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, detail);
    const std::int64_t start = clock.now_ns();
    const CURLcode code = curl_easy_perform(handle);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, nullptr);
    long opened = 0;
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_NUM_CONNECTS, &opened);
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    delivered = x.delivered > 0;
    {
        const std::lock_guard lock(mutex);
        figures.connections_opened += static_cast<std::uint64_t>(opened);
        figures.total_request_seconds += static_cast<double>(clock.now_ns() - start) / 1e9;
    }
    if (code != CURLE_OK) return fail(describe(code, x, detail));
    if (!x.head_complete) {
        // libcurl accepts an answer whose connection ended in the headers.
        return fail(HttpError::kBroken, fmt::format("{} {}: the answer ended among its headers",
                                                    request.method, request.url));
    }
    x.response.status = static_cast<int>(status);
    return std::move(x.response);
}

std::chrono::nanoseconds HttpClient::Impl::delay(int attempt,
                                                 const Result<HttpResponse>& result) const {
    const std::chrono::nanoseconds longest = options.longest_delay;
    if (result) {
        if (const auto after = result->header("retry-after")) {
            std::int64_t seconds = 0;
            const char* end = after->data() + after->size();
            const auto parsed = std::from_chars(after->data(), end, seconds);
            if (parsed.ec == std::errc{} && parsed.ptr == end && seconds >= 0) {
                return std::min<std::chrono::nanoseconds>(
                    std::chrono::seconds(std::min<std::int64_t>(seconds, 86'400)), longest);
            }
        }
    }
    const double first = static_cast<double>(std::chrono::nanoseconds(options.first_delay).count());
    const double most =
        std::min(first * std::pow(2.0, attempt), static_cast<double>(longest.count()));
    return std::chrono::nanoseconds(static_cast<std::int64_t>(most * random_share()));
}

HttpClient::HttpClient(HttpOptions options, Clock& clock) {
    start_curl_once();
    impl_ = std::make_unique<Impl>(std::move(options), clock);
    impl_->figures.max_connections = impl_->options.max_connections;
}
HttpClient::~HttpClient() = default;

const HttpOptions& HttpClient::options() const { return impl_->options; }

HttpStatistics HttpClient::statistics() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->figures;
}

Result<HttpResponse> HttpClient::send(const HttpRequest& request) {
    const std::string host = host_of(request.url);
    bool sendable = !host.empty() && !has_line_break(request.url);
    for (const auto& [name, value] : request.headers) {
        sendable = sendable && !name.empty() && !has_line_break(name) && !has_line_break(value);
    }
    if (!sendable) {
        return fail(HttpError::kBadRequest,
                    fmt::format("expected an http or https URL and headers without line breaks, "
                                "got '{}'",
                                request.url));
    }
    CURL* handle = impl_->pool.acquire(host, request.timeout.value_or(impl_->options.timeout));
    if (handle == nullptr) {
        return fail(HttpError::kBusy, fmt::format("no free connection to {} in time", host));
    }
    Result<HttpResponse> result;
    for (int attempt = 0;; ++attempt) {
        bool delivered = false;
        result = impl_->attempt(handle, request, delivered);
        if (result) result->attempts = attempt + 1;
        const bool worth =
            result ? is_worth_retrying(result->status) : is_worth_retrying(result.error());
        const bool safe =
            is_repeatable(request) || (!result && result.error().is(HttpError::kConnect));
        if (!worth || !safe || delivered || attempt >= impl_->options.retries) break;
        {
            const std::lock_guard lock(impl_->mutex);
            ++impl_->figures.retry_count;
        }
        impl_->clock.sleep_for(impl_->delay(attempt, result));
    }
    impl_->pool.release(host, handle);
    const std::lock_guard lock(impl_->mutex);
    ++impl_->figures.request_count;
    if (!result || result->kind() == HttpKind::kServerError) ++impl_->figures.error_count;
    return result;
}

}  // namespace esper::utils
