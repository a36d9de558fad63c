#pragma once
// Verifies tokens of others with their public keys. Written here, and not taken from a library,
// because so little is needed: three algorithms, one for each key, and no header that a token could
// choose them with.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/serving/web_keys.h"

namespace esper::serving {

/// What a token must be for.
struct TokenRules {
    std::string issuer;    ///< its `iss`, exactly
    std::string audience;  ///< its `aud`, or one of them
};

/// Clocks may differ by so much.
inline constexpr std::int64_t kTokenSkewSeconds = 60;
inline constexpr std::size_t kLongestToken = 8192;  ///< bytes

struct WebToken {
    std::string subject;
    nlohmann::json claims;
};

/// What a signed token (a JWS in compact form, RFC 7515) says, once one of the keys has signed it.
/// A key is chosen by the header's `kid`, which may be missing where there is one key. What the
/// token says is looked at only then. Errors: kMalformed, kHeader, kAlgorithm, kUnknownKey,
/// kSignature.
Result<std::string> verified_payload(std::string_view token, const std::vector<WebKey>& keys);

/// The claims of a JSON Web Token (RFC 7519, and what RFC 8725 advises) that is signed, for this
/// audience, and valid at this time (seconds since 1970). It needs `iss`, `aud`, `sub`, `exp` and
/// `iat`; `nbf` is looked at where it is there. Errors: those of verified_payload; kMalformed,
/// kClaims, kIssuer, kAudience, kExpired, kNotYet.
Result<WebToken> verify_web_token(std::string_view token, const std::vector<WebKey>& keys,
                                  const TokenRules& rules, std::int64_t now_seconds);

}  // namespace esper::serving
