#include "esper/services/serving/web_token.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "esper/base/ascii.h"
#include "esper/base/clock.h"
#include "esper/base/text.h"
#include "esper/services/serving/base64url.h"
#include "esper/services/serving/strict_json.h"

namespace esper::serving {

using nlohmann::json;

namespace {

/// Headers by which a token would bring its own key, change what is signed, or ask for more than is
/// done here.
constexpr std::array<const char*, 9> kRefused = {"crit", "jku", "jwk", "x5u", "x5c",
                                                 "b64",  "cty", "enc", "zip"};
constexpr std::array<std::string_view, 3> kAlgorithms = {"EdDSA", "ES256", "RS256"};

tl::unexpected<Error> malformed(const std::string& what) {
    return fail(TokenError::kMalformed, "this is no JWT: " + what);
}

/// RFC 8725, section 3.11: a token that was made for something else says so in `typ`.
bool is_type(const json& type) {
    if (!type.is_string()) return false;
    const auto name = lowered(type.get<std::string>());
    constexpr std::string_view kPrefix = "application/";
    const auto bare = std::string_view(name).substr(name.starts_with(kPrefix) ? kPrefix.size() : 0);
    return bare == "jwt" || bare == "at+jwt";
}

/// The header's algorithm.
Result<std::string> check_header(const json& header) {
    for (const char* name : kRefused)
        if (header.contains(name))
            return fail(TokenError::kHeader,
                        fmt::format("its header has '{}', which is not taken", name));
    if (header.contains("typ") && !is_type(header["typ"]))
        return fail(TokenError::kHeader, "the typ of its header must be JWT or at+jwt");
    const auto algorithm = header.find("alg");
    if (algorithm == header.end() || !algorithm->is_string() ||
        std::ranges::find(kAlgorithms, algorithm->get<std::string>()) == kAlgorithms.end())
        return fail(TokenError::kAlgorithm,
                    "the alg of its header must be that of its key: EdDSA, ES256 or RS256");
    return algorithm->get<std::string>();
}

Result<const WebKey*> key_of(const json& header, const std::vector<WebKey>& keys) {
    const auto id = header.find("kid");
    if (id == header.end()) {
        if (keys.size() == 1) return keys.data();
        return fail(TokenError::kUnknownKey,
                    "its header has no kid, which says which of the server's keys signed it");
    }
    if (!id->is_string()) return fail(TokenError::kHeader, "the kid of its header must be text");
    const auto wanted = id->get<std::string>();
    const WebKey* found = nullptr;
    for (const auto& key : keys)
        if (key.id == wanted && (found == nullptr || key.key)) found = &key;
    if (found == nullptr)
        return fail(TokenError::kUnknownKey, "the server does not know the key of its kid");
    if (!found->key)
        return fail(TokenError::kUnknownKey,
                    "the server does not use the key of its kid: " + found->unused);
    return found;
}

Result<double> time_in(const json& claims, const char* name) {
    constexpr double kLast = 253402300799;  // the end of the year 9999
    const auto time = claims.find(name);
    if (time == claims.end() || !time->is_number() || time->get<double>() < 0 ||
        time->get<double>() > kLast)
        return fail(TokenError::kClaims,
                    fmt::format("it needs '{}', a time in seconds since 1970", name));
    return time->get<double>();
}

std::string said(double seconds) {
    return iso8601(static_cast<std::int64_t>(seconds) * 1'000'000'000);
}

Status check_times(const json& claims, std::int64_t now_seconds) {
    const auto now = static_cast<double>(now_seconds), skew = double{kTokenSkewSeconds};
    ESPER_TRY(const double end, time_in(claims, "exp"));
    ESPER_TRY(const double issued, time_in(claims, "iat"));
    if (now >= end + skew)
        return fail(TokenError::kExpired, fmt::format("it was good until {}", said(end)));
    if (issued > now + skew)
        return fail(TokenError::kNotYet, fmt::format("it was issued at {}, later than now by "
                                                     "this server's clock",
                                                     said(issued)));
    if (!claims.contains("nbf")) return {};
    ESPER_TRY(const double begin, time_in(claims, "nbf"));
    if (begin > now + skew)
        return fail(TokenError::kNotYet, fmt::format("it is not good before {}", said(begin)));
    return {};
}

bool is_for(const json& audience, const std::string& wanted) {
    if (!audience.is_array()) return audience == wanted;
    return std::ranges::find(audience, json(wanted)) != audience.end();
}

}  // namespace

Result<std::string> verified_payload(std::string_view token, const std::vector<WebKey>& keys) {
    if (token.size() > kLongestToken)
        return malformed(
            fmt::format("it has {} bytes; {} are the most", token.size(), kLongestToken));
    const auto parts = split(token, '.');
    if (parts.size() != 3) return malformed("expected three parts with dots between them");
    const auto head = base64url_decode(parts[0]);
    auto payload = base64url_decode(parts[1]);
    const auto signature = base64url_decode(parts[2]);
    if (!head || !payload || !signature) return malformed("its parts must be base64url");
    const auto header = strict_json_object(*head);
    if (!header) return malformed("its header must be a JSON object that has each name once");
    ESPER_TRY(const auto algorithm, check_header(*header));
    ESPER_TRY(const WebKey* const key, key_of(*header, keys));
    if (key->algorithm != algorithm)
        return fail(
            TokenError::kAlgorithm,
            fmt::format("the alg of its header must be that of its key, {}", key->algorithm));
    if (!key->has_signed(token.substr(0, token.rfind('.')), *signature))
        return fail(TokenError::kSignature, "its key did not sign it");
    return std::move(*payload);
}

Result<WebToken> verify_web_token(std::string_view token, const std::vector<WebKey>& keys,
                                  const TokenRules& rules, std::int64_t now_seconds) {
    ESPER_TRY(const auto payload, verified_payload(token, keys));
    auto claims = strict_json_object(payload);
    if (!claims) return malformed("its claims must be a JSON object that has each name once");
    for (const char* name : {"iss", "aud", "sub"})
        if (!claims->contains(name))
            return fail(TokenError::kClaims, fmt::format("it needs '{}'", name));
    if ((*claims)["iss"] != rules.issuer)
        return fail(TokenError::kIssuer, "its iss is not the issuer that this server takes");
    if (!is_for((*claims)["aud"], rules.audience))
        return fail(TokenError::kAudience, "its aud does not name this server");
    ESPER_CHECK_STATUS(check_times(*claims, now_seconds));
    const auto& subject = (*claims)["sub"];
    if (!subject.is_string() || subject.get<std::string>().empty())
        return fail(TokenError::kClaims, "its sub must be text");
    auto name = subject.get<std::string>();
    return WebToken{std::move(name), std::move(*claims)};
}

}  // namespace esper::serving
