#include "esper/services/urza/s3_objects.h"

#include <fmt/format.h>

#include "esper/base/clock.h"
#include "esper/base/environment.h"
#include "esper/base/hash.h"
#include "esper/contracts/timestamp.h"

namespace esper::urza {
namespace {

constexpr std::string_view kScheme = "s3://";

/// The first of these variables that says something.
std::string first_of(std::initializer_list<const char*> names) {
    for (const char* name : names)
        if (auto value = environment(name); !value.empty()) return value;
    return "";
}

utils::S3Options options_of(std::string bucket) {
    utils::S3Options options;
    options.bucket = std::move(bucket);
    if (const auto region = first_of({"AWS_REGION", "AWS_DEFAULT_REGION"}); !region.empty())
        options.region = region;
    options.endpoint = first_of({"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
    if (options.endpoint.empty())
        options.endpoint = fmt::format("https://s3.{}.amazonaws.com", options.region);
    options.credentials = {first_of({"AWS_ACCESS_KEY_ID"}), first_of({"AWS_SECRET_ACCESS_KEY"}),
                           first_of({"AWS_SESSION_TOKEN"})};
    return options;
}

}  // namespace

Result<std::unique_ptr<Objects>> S3Objects::open(const std::string& place) {
    const auto bad = [&](std::string_view why) {
        return fail(UrzaError::kBadAddress,
                    fmt::format("{}: {}; expected s3://BUCKET/PREFIX, and credentials in "
                                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                                place, why));
    };
    const std::string rest = place.substr(kScheme.size());
    const auto slash = rest.find('/');
    std::string prefix = slash == std::string::npos ? "" : rest.substr(slash + 1);
    while (prefix.ends_with('/')) prefix.pop_back();
    if (!prefix.empty()) prefix += '/';
    auto client = utils::S3Client::make(options_of(rest.substr(0, slash)));
    if (!client) return bad(client.error().message());
    return std::unique_ptr<Objects>(new S3Objects(place, std::move(prefix), std::move(*client)));
}

std::string S3Objects::key_of(std::string_view digest) const {
    return fmt::format("{}{}/{}", prefix_, digest.substr(0, 2), digest);
}

tl::unexpected<Error> S3Objects::failed(std::string_view doing, const Error& error) const {
    using utils::S3Error;
    const bool is_denied = error.is(S3Error::kDenied) || error.is(S3Error::kRequest);
    return fail(error.is(S3Error::kCorrupt) ? UrzaError::kBadObject
                : is_denied                 ? UrzaError::kReadOnly
                                            : UrzaError::kUnreachable,
                fmt::format("{}: {}: {}", place_, doing, error.message()));
}

Result<std::string> S3Objects::put(std::string_view content) {
    std::string digest = sha256(content).hex();
    // Also where it is there: it becomes young again, for a row that is about to be written.
    if (const Status stored = client_->put(key_of(digest), content); !stored)
        return failed("nothing was added", stored.error());
    return digest;
}

Result<std::string> S3Objects::get(std::string_view digest) {
    ESPER_CHECK_STATUS(check_digest(digest));
    const std::string where = fmt::format("{}: object {}", place_, digest);
    auto content = client_->get(key_of(digest));
    if (!content && content.error().is(utils::S3Error::kNotFound)) return no_object(where);
    if (!content) return failed("object", content.error());
    ESPER_CHECK_STATUS(check_object(digest, *content, where));
    return content;
}

Result<Objects::Removed> S3Objects::remove_unless(
    const std::function<bool(const std::string&)>& keep) {
    const auto objects = client_->list(prefix_);
    if (!objects) return failed("gc", objects.error());
    constexpr std::int64_t kSecond = 1'000'000'000;
    const std::int64_t now = system_clock().utc_ns();
    Removed removed;
    for (const auto& object : *objects) {
        const std::string digest = object.key.substr(object.key.rfind('/') + 1);
        if (!check_digest(digest) || keep(digest)) continue;
        const auto written = contracts::parse_timestamp(object.last_modified);
        if (!written || now - written->utc_ns < kYoungSeconds * kSecond) {
            ++removed.young;
            continue;
        }
        if (const Status gone = client_->remove(object.key); !gone)
            return failed("gc", gone.error());
        ++removed.files;
        removed.bytes += object.size;
    }
    return removed;
}

}  // namespace esper::urza
