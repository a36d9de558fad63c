#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "esper/utils/http_client.h"

namespace esper::utils {

struct AwsCredentials {
    std::string access_key;
    std::string secret_key;
    std::string session_token{};  ///< of temporary credentials
};

/// Bytes as a URI writes them: all but A–Z a–z 0–9 - . _ ~ become %XX; `/` stays where asked.
std::string uri_encode(std::string_view text, bool keep_slash);

/// What is signed: the parts of one request, not yet encoded.
struct SigningInput {
    std::string_view method{};
    std::string_view host{};  ///< as the Host header says it, with any unusual port
    std::string_view path{};  ///< begins with `/`; encoded once, as S3 wants it
    std::vector<std::pair<std::string, std::string>> query{};
    HttpHeaders headers{};  ///< further headers to sign
    std::string_view payload_sha256{};
    std::string_view region{};
    std::string_view service = "s3";
    std::string_view timestamp{};  ///< 20130524T000000Z
};

struct SignedRequest {
    std::string path_and_query;
    HttpHeaders headers;  ///< those given, x-amz-date, x-amz-content-sha256, authorization
};

/// AWS Signature Version 4 with the payload's hash signed ("Authenticating Requests: Using the
/// Authorization Header", Amazon S3 API reference).
SignedRequest sign(const SigningInput& input, const AwsCredentials& credentials);

/// `20130524T000000Z`.
std::string amz_timestamp(std::int64_t utc_ns);

}  // namespace esper::utils
