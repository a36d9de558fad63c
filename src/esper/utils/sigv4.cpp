#include "esper/utils/sigv4.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <map>

#include "esper/base/ascii.h"
#include "esper/base/hash.h"
#include "esper/contracts/timestamp.h"

namespace esper::utils {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

std::string hmac(std::string_view key, std::string_view text) {
    std::string out(32, '\0');
    unsigned size = 32;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(out.data()), &size);
    return out;
}

std::string hex(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return out;
}

/// Without white space at the ends, and with one space where there were several.
std::string squeeze(std::string_view value) {
    std::string out;
    for (const char c : value) {
        if (c != ' ' || (!out.empty() && out.back() != ' ')) out += c;
    }
    if (!out.empty() && out.back() == ' ') out.pop_back();
    return out;
}

std::string canonical_query(const SigningInput& in) {
    std::vector<std::pair<std::string, std::string>> encoded;
    for (const auto& [key, value] : in.query) {
        encoded.emplace_back(uri_encode(key, false), uri_encode(value, false));
    }
    std::sort(encoded.begin(), encoded.end());
    std::string out;
    for (const auto& [key, value] : encoded) {
        if (!out.empty()) out += '&';
        out.append(key).append(1, '=').append(value);
    }
    return out;
}

}  // namespace

std::string uri_encode(std::string_view text, bool keep_slash) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain || (keep_slash && c == '/')) {
            out += c;
        } else {
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

std::string amz_timestamp(std::int64_t utc_ns) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    std::string out;
    for (const char c : contracts::to_string({utc_ns / kSecond * kSecond})) {
        if (c != '-' && c != ':') out += c;
    }
    return out;
}

SignedRequest sign(const SigningInput& in, const AwsCredentials& credentials) {
    SignedRequest out{{}, in.headers};
    out.headers.emplace_back("x-amz-date", in.timestamp);
    out.headers.emplace_back("x-amz-content-sha256", in.payload_sha256);
    if (!credentials.session_token.empty()) {
        out.headers.emplace_back("x-amz-security-token", credentials.session_token);
    }
    std::map<std::string, std::string> signed_headers{{"host", std::string(in.host)}};
    for (const auto& [name, value] : out.headers) signed_headers[lowered(name)] = squeeze(value);
    std::string names;
    std::string lines;
    for (const auto& [name, value] : signed_headers) {
        if (!names.empty()) names += ';';
        names += name;
        lines.append(name).append(1, ':').append(value).append(1, '\n');
    }
    const std::string path = uri_encode(in.path, true);
    const std::string query = canonical_query(in);
    const std::string canonical = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", in.method, path, query,
                                              lines, names, in.payload_sha256);
    const std::string_view day = in.timestamp.substr(0, 8);
    const std::string scope = fmt::format("{}/{}/{}/aws4_request", day, in.region, in.service);
    const std::string to_sign =
        fmt::format("{}\n{}\n{}\n{}", kAlgorithm, in.timestamp, scope, sha256(canonical).hex());
    const std::string key =
        hmac(hmac(hmac(hmac("AWS4" + credentials.secret_key, day), in.region), in.service),
             "aws4_request");
    out.headers.emplace_back(
        "authorization",
        fmt::format("{} Credential={}/{},SignedHeaders={},Signature={}", kAlgorithm,
                    credentials.access_key, scope, names, hex(hmac(key, to_sign))));
    out.path_and_query = query.empty() ? path : path + '?' + query;
    return out;
}

}  // namespace esper::utils
