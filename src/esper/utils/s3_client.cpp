#include "esper/utils/s3_client.h"

#include <fmt/format.h>

#include <charconv>

#include "esper/base/base64.h"
#include "esper/base/hash.h"
#include "esper/utils/s3_session.h"
#include "esper/utils/s3_transfer.h"
#include "esper/utils/s3_xml.h"

namespace esper::utils {

double S3Metrics::success_rate() const {
    return total_operations == 0
               ? 1
               : 1 - static_cast<double>(failed_operations) / static_cast<double>(total_operations);
}

struct S3Client::Impl {
    Impl(S3Options options, Clock& clock) : session(std::move(options), clock) {}
    S3Session session;

    /// Runs one operation and counts it.
    template <typename Operation>
    auto counted(Operation operation) -> decltype(operation()) {
        const std::int64_t start = session.clock().now_ns();
        auto result = operation();
        session.record(result.has_value(), start);
        return result;
    }
};

S3Client::S3Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
S3Client::~S3Client() = default;

Result<std::unique_ptr<S3Client>> S3Client::make(S3Options options, Clock& clock) {
    const bool url =
        options.endpoint.starts_with("http://") || options.endpoint.starts_with("https://");
    if (!url || options.bucket.empty() || options.region.empty() ||
        options.credentials.access_key.empty() || options.credentials.secret_key.empty() ||
        options.part_bytes == 0 || options.parallel_parts < 1) {
        return fail(S3Error::kBadOptions,
                    fmt::format("expected an http(s) endpoint, a bucket, a region, an access key "
                                "and a secret key; endpoint is '{}', bucket '{}'",
                                options.endpoint, options.bucket));
    }
    return std::unique_ptr<S3Client>(
        new S3Client(std::make_unique<Impl>(std::move(options), clock)));
}

Status S3Client::put(std::string_view key, std::string_view bytes) {
    return impl_->counted([&]() -> Status {
        const std::string md5 = md5_bytes(bytes);
        ESPER_TRY(const HttpResponse r,
                  impl_->session.call({.method = "PUT",
                                       .key = std::string(key),
                                       .headers = {{"content-md5", base64_of(md5)},
                                                   {"x-amz-meta-sha256", sha256(bytes).hex()}},
                                       .body = bytes}));
        return verify_etag(object_from_headers(key, r), hex_of(md5));
    });
}

Result<std::string> S3Client::get(std::string_view key) {
    return impl_->counted([&]() -> Result<std::string> {
        ESPER_TRY(HttpResponse r, impl_->session.call({.method = "GET", .key = std::string(key)}));
        ESPER_CHECK_STATUS(verify_content(object_from_headers(key, r), sha256(r.body).hex(),
                                          hex_of(md5_bytes(r.body))));
        return std::move(r.body);
    });
}

Result<std::string> S3Client::get_range(std::string_view key, std::uint64_t first,
                                        std::uint64_t count) {
    return impl_->counted([&]() -> Result<std::string> {
        if (count == 0) return std::string();
        ESPER_TRY(
            HttpResponse r,
            impl_->session.call(
                {.method = "GET",
                 .key = std::string(key),
                 .headers = {{"range", fmt::format("bytes={}-{}", first, first + count - 1)}}}));
        if (r.status != 206 || r.body.size() > count) {
            return fail(S3Error::kMalformedAnswer,
                        fmt::format("{}: expected part of the object, got {} with {} bytes", key,
                                    r.status, r.body.size()));
        }
        return std::move(r.body);
    });
}

Result<S3Object> S3Client::head(std::string_view key) {
    return impl_->counted([&]() -> Result<S3Object> {
        ESPER_TRY(const HttpResponse r,
                  impl_->session.call({.method = "HEAD", .key = std::string(key)}));
        return object_from_headers(key, r);
    });
}

Result<bool> S3Client::exists(std::string_view key) {
    const auto object = head(key);
    if (object) return true;
    if (object.error().is(S3Error::kNotFound)) return false;
    return fail(object.error());
}

Result<std::vector<S3Object>> S3Client::list(std::string_view prefix) {
    return impl_->counted([&]() -> Result<std::vector<S3Object>> {
        std::vector<S3Object> out;
        std::string token;
        for (;;) {
            S3Call call{.method = "GET",
                        .query = {{"list-type", "2"}, {"prefix", std::string(prefix)}}};
            if (!token.empty()) call.query.emplace_back("continuation-token", token);
            ESPER_TRY(const HttpResponse r, impl_->session.call(call));
            if (r.body.find("<ListBucketResult") == std::string::npos) {
                return fail(
                    S3Error::kMalformedAnswer,
                    fmt::format("expected a ListBucketResult, got {}", r.body.substr(0, 200)));
            }
            for (const std::string_view entry : xml_elements(r.body, "Contents")) {
                S3Object object;
                object.key = xml_text(entry, "Key").value_or("");
                const std::string size = xml_text(entry, "Size").value_or("");
                std::from_chars(size.data(), size.data() + size.size(), object.size);
                for (const char c : xml_text(entry, "ETag").value_or("")) {
                    if (c != '"') object.etag += c;
                }
                object.last_modified = xml_text(entry, "LastModified").value_or("");
                out.push_back(std::move(object));
            }
            const std::string next = xml_text(r.body, "NextContinuationToken").value_or("");
            if (xml_text(r.body, "IsTruncated") != "true" || next.empty() || next == token) {
                return out;
            }
            token = next;
        }
    });
}

Status S3Client::remove(std::string_view key) {
    return impl_->counted([&]() -> Status {
        const auto r = impl_->session.call({.method = "DELETE", .key = std::string(key)});
        if (!r && !r.error().is(S3Error::kNotFound)) return fail(r.error());
        return {};
    });
}

Status S3Client::create_bucket() {
    return impl_->counted([&]() -> Status {
        ESPER_CHECK_STATUS(impl_->session.call({.method = "PUT"}));
        return {};
    });
}

Status S3Client::put_file(std::string_view key, const std::filesystem::path& path) {
    return impl_->counted([&] { return upload_file(impl_->session, std::string(key), path); });
}

Status S3Client::get_file(std::string_view key, const std::filesystem::path& path) {
    return impl_->counted([&] { return download_file(impl_->session, std::string(key), path); });
}

S3Metrics S3Client::metrics() const { return impl_->session.metrics(); }

}  // namespace esper::utils
