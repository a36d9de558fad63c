#pragma once

#include <string>

namespace esper {

/// `c` as a small letter where it is a capital of ASCII; other bytes as they are, in any locale.
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// `text` with the capitals of ASCII as small letters.
inline std::string lowered(std::string text) {
    for (char& c : text) c = lower(c);
    return text;
}

}  // namespace esper
