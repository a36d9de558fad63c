#pragma once

#include <deque>
#include <mutex>

#include "esper/utils/s3_client.h"

namespace esper::utils {

struct S3Call {
    std::string method;
    std::string key{};  ///< empty: the bucket itself
    std::vector<std::pair<std::string, std::string>> query{};
    HttpHeaders headers{};
    std::string_view body{};
    std::function<bool(std::string_view)> sink{};
    bool repeatable = true;
};

/// Signs and sends single requests for S3Client and turns refusals into S3Error values.
class S3Session {
  public:
    S3Session(S3Options options, Clock& clock);

    /// The answer if its status is 2xx. Each retry is signed anew and counted.
    Result<HttpResponse> call(const S3Call& call);
    /// Counts one finished operation.
    void record(bool ok, std::int64_t start_ns);
    void add_bytes(std::uint64_t sent, std::uint64_t received);
    void count_resumed();
    S3Metrics metrics() const;

    const S3Options& options() const { return options_; }
    Clock& clock() { return clock_; }

  private:
    Result<HttpResponse> once(const S3Call& call);
    Error refusal(const S3Call& call, const HttpResponse& response) const;

    S3Options options_;
    Clock& clock_;
    HttpClient http_;
    std::string host_;
    mutable std::mutex mutex_;
    S3Metrics metrics_;
    struct Recent {
        std::int64_t start_ns;
        std::int64_t end_ns;
    };
    std::deque<Recent> recent_;
};

/// Digests for the headers and comparisons of S3.
std::string md5_bytes(std::string_view data);
std::string hex_of(std::string_view bytes);
S3Object object_from_headers(std::string_view key, const HttpResponse& response);

}  // namespace esper::utils
