#include "esper/base/utf8.h"

#include <cstring>

namespace esper {

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        if (text.size() >= 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, text.data(), 8);
            if ((word & 0x8080808080808080ull) == 0) {
                text.remove_prefix(8);
                continue;
            }
        }
        const std::size_t n = utf8_sequence(text);
        if (n == 0) return false;
        text.remove_prefix(n);
    }
    return true;
}

void append_utf8(std::string& out, std::uint32_t code_point) {
    const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
    if (code_point < 0x80) {
        put(code_point);
    } else if (code_point < 0x800) {
        put(0xC0u | (code_point >> 6));
        put(0x80u | (code_point & 0x3Fu));
    } else if (code_point < 0x10000) {
        put(0xE0u | (code_point >> 12));
        put(0x80u | ((code_point >> 6) & 0x3Fu));
        put(0x80u | (code_point & 0x3Fu));
    } else {
        put(0xF0u | (code_point >> 18));
        put(0x80u | ((code_point >> 12) & 0x3Fu));
        put(0x80u | ((code_point >> 6) & 0x3Fu));
        put(0x80u | (code_point & 0x3Fu));
    }
}

}  // namespace esper
