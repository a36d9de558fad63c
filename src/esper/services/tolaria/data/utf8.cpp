#include "esper/services/tolaria/data/utf8.h"

namespace esper::tolaria {

Utf8Step decode_utf8(std::string_view text, std::size_t offset) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const unsigned first = byte(offset);
    if (first < 0x80) return {static_cast<char32_t>(first), 1};
    const unsigned length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 0;
    if (length == 0 || first > 0xF4) return {};
    char32_t value = first & (0x7FU >> length);
    for (unsigned i = 1; i < length; ++i) {
        const unsigned next = byte(offset + i);
        if ((next & 0xC0U) != 0x80) return {};
        value = (value << 6) | (next & 0x3FU);
    }
    const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
    const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
    if (overlong || surrogate || value > 0x10FFFF) return {};
    return {value, length};
}

std::string encode_utf8(char32_t c) {
    const auto tail = [&](int shift) { return static_cast<char>(0x80U | ((c >> shift) & 0x3FU)); };
    if (c < 0x80) return {static_cast<char>(c)};
    if (c < 0x800) return {static_cast<char>(0xC0U | (c >> 6)), tail(0)};
    if (c < 0x10000) return {static_cast<char>(0xE0U | (c >> 12)), tail(6), tail(0)};
    return {static_cast<char>(0xF0U | (c >> 18)), tail(12), tail(6), tail(0)};
}

namespace {

// Whether bytes may begin a character that more bytes would complete.
bool may_go_on(std::string_view bytes) {
    const auto first = static_cast<unsigned char>(bytes[0]);
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 0;
    if (length == 0 || first > 0xF4 || bytes.size() >= length) return false;
    for (std::size_t i = 1; i < bytes.size(); ++i)
        if ((static_cast<unsigned char>(bytes[i]) & 0xC0U) != 0x80) return false;
    return true;
}

}  // namespace

std::string Utf8Stream::take(std::string_view piece) {
    rest_ += piece;
    std::string out;
    std::size_t at = 0;
    while (at < rest_.size()) {
        const auto step = decode_utf8(rest_, at);
        if (step.length > 0) {
            out.append(rest_, at, step.length);
            at += step.length;
        } else if (may_go_on(std::string_view(rest_).substr(at))) {
            break;
        } else {
            out += encode_utf8(U'\uFFFD');
            ++at;
        }
    }
    rest_.erase(0, at);
    return out;
}

std::string Utf8Stream::finish() {
    std::string out;
    if (!rest_.empty()) out = encode_utf8(U'\uFFFD');
    rest_.clear();
    return out;
}

}  // namespace esper::tolaria
