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

/// Percent-encodes every byte except A–Z a–z 0–9 - . _ ~ and, with `keep_slash`, `/`.
std::string uri_encode(std::string_view text, bool keep_slash);

/// The parts of a request that are signed, not yet encoded.
struct SigningInput {
    std::string_view method{};
    std::string_view host{};  ///< as in the Host header, with the port unless it is the usual one
    std::string_view path{};  ///< begins with `/`; sign() encodes it once
    std::vector<std::pair<std::string, std::string>> query{};
    HttpHeaders headers{};  ///< further headers to sign
    std::string_view payload_sha256{};
    std::string_view region{};
    std::string_view service = "s3";
    std::string_view timestamp{};  ///< 20130524T000000Z
};

struct SignedRequest {
    std::string path_and_query;
    HttpHeaders headers;  ///< SigningInput's, x-amz-date, x-amz-content-sha256, authorization
};

/// AWS Signature Version 4 with the payload's hash signed ("Authenticating Requests: Using the
/// Authorization Header", Amazon S3 API reference).
SignedRequest sign(const SigningInput& input, const AwsCredentials& credentials);

/// `20130524T000000Z`.
std::string amz_timestamp(std::int64_t utc_ns);

}  // namespace esper::utils
