#include "esper/configs/numbers.h"

#include <array>
#include <charconv>
#include <cmath>

namespace esper::configs {
namespace {

template <typename T>
bool read(std::string_view text, T& out) {
    if (text.starts_with('+')) {
        text.remove_prefix(1);
        if (text.starts_with('-')) return false;
    }
    const char* end = text.data() + text.size();
    T value{};
    const auto result = std::from_chars(text.data(), end, value);
    if (result.ec != std::errc{} || result.ptr != end) return false;
    out = value;
    return true;
}

}  // namespace

bool read_number(std::string_view text, double& out) {
    double value = 0;
    if (!read(text, value) || !std::isfinite(value)) return false;
    out = value;
    return true;
}
bool read_number(std::string_view text, std::int64_t& out) { return read(text, out); }
bool read_number(std::string_view text, std::uint64_t& out) { return read(text, out); }
bool read_number(std::string_view text, int& out) { return read(text, out); }

std::string write_number(double value) {
    std::array<char, 40> buffer{};
    // Whole numbers of a length that people read are written out.
    const bool whole = value == std::floor(value) && std::fabs(value) < 1e15;
    const auto form = whole ? std::chars_format::fixed : std::chars_format::general;
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, form);
    std::string text(buffer.data(), end.ptr);
    const auto exponent = text.find('e');
    if (exponent != std::string::npos && text.find('.') == std::string::npos) {
        text.insert(exponent, ".0");
    }
    return text;
}

}  // namespace esper::configs
