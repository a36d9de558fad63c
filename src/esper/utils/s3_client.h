#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/base/clock.h"
#include "esper/base/error.h"
#include "esper/utils/http_client.h"
#include "esper/utils/sigv4.h"

namespace esper::utils {

#define ESPER_S3_ERRORS(X)                                                                   \
    X(kBadOptions, kUsage)        /* endpoint, bucket or credentials missing */              \
    X(kNotFound, kData)           /* no such object or bucket */                             \
    X(kDenied, kRuntime)          /* wrong key, wrong signature, not allowed */              \
    X(kChanged, kRuntime)         /* the object was replaced during the transfer */          \
    X(kRequest, kRuntime)         /* refused for another reason; the message has the code */ \
    X(kServer, kRuntime)          /* 5xx after all retries */                                \
    X(kTransport, kRuntime)       /* no answer after all retries */                          \
    X(kCorrupt, kVerification)    /* the received bytes do not match their checksum */       \
    X(kMalformedAnswer, kRuntime) /* the answer is not what S3 should send */                \
    X(kLocalFile, kRuntime)       /* the local file cannot be read or written */
ESPER_DEFINE_ERRORS(S3Error, "s3", ESPER_S3_ERRORS)

struct S3Options {
    std::string endpoint{};  ///< http://localhost:9000
    std::string bucket = "esper-artifacts";
    std::string region = "us-east-1";
    AwsCredentials credentials{};
    /// Larger files are uploaded in parts of `part_bytes` (S3 wants at least 5 MiB a part).
    std::uint64_t multipart_from = std::uint64_t{16} << 20;
    std::uint64_t part_bytes = std::uint64_t{8} << 20;
    int parallel_parts = 4;
    /// A download fails after this many attempts in a row without a new byte.
    int download_attempts = 5;
    HttpOptions http{.timeout = std::chrono::seconds(60)};
};

/// An object's description.
struct S3Object {
    std::string key{};
    std::uint64_t size = 0;
    std::string etag{};  ///< without quotes
    std::string last_modified{};
    std::map<std::string, std::string> metadata{};  ///< head and get only; names in lower case
};

struct S3Metrics {
    std::uint64_t total_operations = 0;
    std::uint64_t failed_operations = 0;
    std::uint64_t retries = 0;
    std::uint64_t resumed_downloads = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    double average_duration_ms = 0;    ///< of the last 1000 operations
    double operations_per_second = 0;  ///< over the last 1000 operations
    double success_rate() const;
};

/// Reads and writes objects of one S3 bucket, with path-style addresses. An upload carries its
/// SHA-256 (signed, and stored as the metadata `sha256`) and its MD5, and the client compares the
/// server's ETag. A download is compared with that metadata, or, if another program wrote the
/// object in one piece, with the ETag. Thread-safe; no lock is held during a transfer.
class S3Client {
  public:
    /// Error: kBadOptions.
    static Result<std::unique_ptr<S3Client>> make(S3Options options, Clock& clock = system_clock());
    ~S3Client();

    Status put(std::string_view key, std::string_view bytes);
    Result<std::string> get(std::string_view key);
    /// Bytes [first, first + count), fewer at the end of the object. They are not verified, because
    /// S3 keeps no checksum of a range.
    Result<std::string> get_range(std::string_view key, std::uint64_t first, std::uint64_t count);
    Result<S3Object> head(std::string_view key);
    Result<bool> exists(std::string_view key);
    /// Every object whose key starts with `prefix`, ascending.
    Result<std::vector<S3Object>> list(std::string_view prefix);
    /// Succeeds also when there is no such object.
    Status remove(std::string_view key);

    /// Uploads a file, in parts when it is large. A failed upload leaves no object behind.
    Status put_file(std::string_view key, const std::filesystem::path& path);
    /// Downloads into `<path>.part` and renames it at the end. A later call resumes an unfinished
    /// `<path>.part` if the object is still the same.
    Status get_file(std::string_view key, const std::filesystem::path& path);

    Status create_bucket();
    S3Metrics metrics() const;

  private:
    struct Impl;
    explicit S3Client(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace esper::utils
