#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace esper {

/// The length (1 to 4) of the well-formed UTF-8 sequence (RFC 3629, table 3-7 of Unicode) at the
/// front of `text`, or 0.
inline std::size_t utf8_sequence(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto tail = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0u) == 0x80u; };
    if (text.empty()) return 0;
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first < 0xC2) return 0;
    if (first < 0xE0) return tail(1) ? 2 : 0;
    if (first < 0xF0) {
        if (!tail(1) || !tail(2)) return 0;
        if (first == 0xE0 && byte(1) < 0xA0) return 0;
        if (first == 0xED && byte(1) > 0x9F) return 0;
        return 3;
    }
    if (first > 0xF4 || !tail(1) || !tail(2) || !tail(3)) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
}

/// Whether the whole text is well-formed UTF-8.
bool is_utf8(std::string_view text);

/// Appends a code point, which must not be a surrogate.
void append_utf8(std::string& out, std::uint32_t code_point);

}  // namespace esper
