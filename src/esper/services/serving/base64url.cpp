#include "esper/services/serving/base64url.h"

#include <cstdint>

namespace esper::serving {

namespace {

int value_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '-') return 62;
    return c == '_' ? 63 : -1;
}

}  // namespace

std::optional<std::string> base64url_decode(std::string_view text) {
    std::string bytes;
    bytes.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    unsigned count = 0;  // of the bits that no byte has yet
    for (const char c : text) {
        const int digit = value_of(c);
        if (digit < 0) return std::nullopt;
        bits = (bits << 6 | static_cast<std::uint32_t>(digit)) & 0xfffU;
        count += 6;
        if (count < 8) continue;
        count -= 8;
        bytes += static_cast<char>(bits >> count & 0xffU);
    }
    const bool is_whole = count < 6 && (bits & ((1U << count) - 1)) == 0;
    return is_whole ? std::optional(std::move(bytes)) : std::nullopt;
}

}  // namespace esper::serving
