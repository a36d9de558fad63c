#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "esper/services/serving/response.h"

namespace esper::serving {

/// What stands after `Authorization: Bearer` (RFC 6750; the scheme in any case, RFC 9110), with any
/// number of spaces between. Nothing where the header is missing, is there twice, has another
/// scheme or no token.
std::optional<std::string_view> bearer_token(const Request& request);

/// The problem (401) for who is not known, with `WWW-Authenticate: Bearer`.
Response unauthorized(const std::string& why, const std::string& error = "");

}  // namespace esper::serving
