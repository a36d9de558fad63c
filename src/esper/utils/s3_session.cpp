#include "esper/utils/s3_session.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <charconv>
#include <random>

#include "esper/base/hash.h"
#include "esper/utils/s3_xml.h"

namespace esper::utils {
namespace {

constexpr std::size_t kRecent = 1000;
constexpr std::string_view kMetaPrefix = "x-amz-meta-";

/// The session makes the retries itself, since each must be signed anew.
HttpOptions without_retries(HttpOptions options) {
    options.retries = 0;
    return options;
}

double random_share() {
    thread_local std::minstd_rand engine{std::random_device{}()};
    return std::uniform_real_distribution<double>(0, 1)(engine);
}

bool is_transient(const HttpResponse& r) { return r.status >= 500 || r.status == 429; }

}  // namespace

S3Session::S3Session(S3Options options, Clock& clock)
    : options_(std::move(options)), clock_(clock), http_(without_retries(options_.http), clock) {
    while (options_.endpoint.ends_with('/')) options_.endpoint.pop_back();
    host_ = options_.endpoint.substr(options_.endpoint.find("://") + 3);
}

Result<HttpResponse> S3Session::once(const S3Call& call) {
    const std::string path =
        '/' + options_.bucket + (call.key.empty() ? std::string() : '/' + call.key);
    const std::string payload = sha256(call.body).hex();
    const std::string timestamp = amz_timestamp(clock_.utc_ns());
    const SignedRequest request = sign({.method = call.method,
                                        .host = host_,
                                        .path = path,
                                        .query = call.query,
                                        .headers = call.headers,
                                        .payload_sha256 = payload,
                                        .region = options_.region,
                                        .timestamp = timestamp},
                                       options_.credentials);
    return http_.send({.method = call.method,
                       .url = options_.endpoint + request.path_and_query,
                       .headers = request.headers,
                       .body = call.body,
                       .repeatable = false,
                       .sink = call.sink});
}

Result<HttpResponse> S3Session::call(const S3Call& call) {
    std::uint64_t delivered = 0;
    S3Call counted = call;
    if (call.sink) {
        counted.sink = [&](std::string_view piece) {
            delivered += piece.size();
            return call.sink(piece);
        };
    }
    for (int attempt = 0;; ++attempt) {
        auto result = once(counted);
        const std::uint64_t received = result ? result->body.size() : 0;
        add_bytes(call.body.size(), received);
        const bool transient = result ? is_transient(*result)
                                      : !result.error().is(HttpError::kBadRequest) &&
                                            !result.error().is(HttpError::kRefusedBySink) &&
                                            !result.error().is(HttpError::kTooLarge) &&
                                            !result.error().is(HttpError::kTls);
        if (!transient || !call.repeatable || delivered > 0 || attempt >= options_.http.retries) {
            add_bytes(0, delivered);
            if (!result) {
                return fail(S3Error::kTransport, result.error().message());
            }
            if (!result->ok()) return fail(refusal(call, *result));
            return result;
        }
        {
            const std::lock_guard lock(mutex_);
            ++metrics_.retries;
        }
        const double most = std::min(static_cast<double>(options_.http.first_delay.count()) *
                                         static_cast<double>(1 << std::min(attempt, 20)),
                                     static_cast<double>(options_.http.longest_delay.count()));
        clock_.sleep_for(
            std::chrono::nanoseconds(static_cast<std::int64_t>(most * 1e6 * random_share())));
    }
}

Error S3Session::refusal(const S3Call& call, const HttpResponse& response) const {
    const std::string code = xml_text(response.body, "Code").value_or("");
    const std::string message = xml_text(response.body, "Message").value_or("");
    S3Error kind = S3Error::kRequest;
    if (response.status == 404) kind = S3Error::kNotFound;
    if (response.status == 401 || response.status == 403) kind = S3Error::kDenied;
    if (response.status == 412) kind = S3Error::kChanged;
    if (response.status >= 500) kind = S3Error::kServer;
    return fail(kind, fmt::format("{} {}/{}: {} {} {}", call.method, options_.bucket, call.key,
                                  response.status, code, message))
        .value();
}

void S3Session::record(bool ok, std::int64_t start_ns) {
    const std::lock_guard lock(mutex_);
    ++metrics_.total_operations;
    if (!ok) ++metrics_.failed_operations;
    recent_.push_back({start_ns, clock_.now_ns()});
    if (recent_.size() > kRecent) recent_.pop_front();
}

void S3Session::add_bytes(std::uint64_t sent, std::uint64_t received) {
    const std::lock_guard lock(mutex_);
    metrics_.bytes_sent += sent;
    metrics_.bytes_received += received;
}

void S3Session::count_resumed() {
    const std::lock_guard lock(mutex_);
    ++metrics_.resumed_downloads;
}

S3Metrics S3Session::metrics() const {
    const std::lock_guard lock(mutex_);
    S3Metrics m = metrics_;
    if (recent_.empty()) return m;
    double total = 0;
    for (const Recent& r : recent_) total += static_cast<double>(r.end_ns - r.start_ns);
    const auto n = static_cast<double>(recent_.size());
    m.average_duration_ms = total / n / 1e6;
    const auto span = static_cast<double>(recent_.back().end_ns - recent_.front().start_ns);
    if (span > 0) m.operations_per_second = n / span * 1e9;
    return m;
}

std::string md5_bytes(std::string_view data) {
    std::string out(16, '\0');
    unsigned size = 16;
    EVP_Digest(data.data(), data.size(), reinterpret_cast<unsigned char*>(out.data()), &size,
               EVP_md5(), nullptr);
    return out;
}

std::string hex_of(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return out;
}

S3Object object_from_headers(std::string_view key, const HttpResponse& response) {
    S3Object out{std::string(key), 0, {}, {}};
    for (const auto& [name, value] : response.headers) {
        if (name == "content-length") {
            std::from_chars(value.data(), value.data() + value.size(), out.size);
        } else if (name == "etag") {
            for (const char c : value) {
                if (c != '"') out.etag += c;
            }
        } else if (name == "last-modified") {
            out.last_modified = value;
        } else if (name.starts_with(kMetaPrefix)) {
            out.metadata[name.substr(kMetaPrefix.size())] = value;
        }
    }
    return out;
}

}  // namespace esper::utils
