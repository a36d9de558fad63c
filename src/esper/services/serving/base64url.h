#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace esper::serving {

/// The bytes of a text in base64url without padding (RFC 4648, section 5). Nothing for a character
/// that is not of the alphabet, a length that no bytes have, or last bits that are not zero: each
/// sequence of bytes has exactly one text.
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace esper::serving
