#include "esper/program/text/text_scalars.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

namespace esper::graph {
namespace {

constexpr std::array<std::string_view, 3> kMemoryFormats{"contiguous", "preserve", "channels_last"};
constexpr std::array<std::string_view, 9> kReserved{"none", "train",  "true",    "false", "inf",
                                                    "nan",  "values", "doubles", "bools"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool starts_like_a_number(std::string_view word) {
    if (!word.empty() && word[0] == '-') word.remove_prefix(1);
    return !word.empty() && is_digit(word[0]);
}

template <typename Number>
std::optional<Number> parse_whole(std::string_view word) {
    Number value{};
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
    return value;
}

}  // namespace

bool is_word_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
           c == '.' || c == '-' || c == '/' || c == '+';
}

bool is_plain_name(std::string_view name) {
    if (name.empty() || name[0] == '-' || name[0] == '+') return false;
    for (const char c : name) {
        if (!is_word_character(c)) return false;
    }
    for (const std::string_view word : kReserved) {
        if (name == word) return false;
    }
    return !dtype_from_name(name) && !memory_format_from_name(name) && !double_from_word(name) &&
           !integer_from_word(name);
}

void append_name(std::string& out, std::string_view name) {
    if (is_plain_name(name)) {
        out += name;
    } else {
        append_quoted(out, name, '`');
    }
}

void append_scope(std::string& out, std::string_view scope) {
    bool plain = !scope.empty();
    for (const char c : scope) plain = plain && is_word_character(c);
    if (plain) {
        out += scope;
    } else {
        append_quoted(out, scope, '`');
    }
}

void append_quoted(std::string& out, std::string_view text, char quote) {
    out += quote;
    for (const char c : text) {
        if (c == quote || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\t') {
            out += "\\t";
        } else if (c < 0x20 || c > 0x7e) {
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
        } else {
            out += c;
        }
    }
    out += quote;
}

void append_double(std::string& out, double value, bool as_constant) {
    if (std::isnan(value)) {
        const auto bits = std::bit_cast<std::uint64_t>(value);
        const double usual = std::numeric_limits<double>::quiet_NaN();
        out += "nan";
        if (bits != std::bit_cast<std::uint64_t>(usual)) {
            fmt::format_to(std::back_inserter(out), "(0x{:016x})", bits);
        }
        return;
    }
    std::array<char, 40> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    const std::string_view text(digits.data(), static_cast<std::size_t>(end - digits.data()));
    out += text;
    if (as_constant && text.find_first_of(".eni") == std::string_view::npos) out += ".0";
}

std::optional<double> double_from_word(std::string_view word) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (word == "inf") return kInfinity;
    if (word == "-inf") return -kInfinity;
    if (word == "nan") return std::numeric_limits<double>::quiet_NaN();
    if (!starts_like_a_number(word)) return std::nullopt;
    return parse_whole<double>(word);
}

std::optional<std::int64_t> integer_from_word(std::string_view word) {
    if (!starts_like_a_number(word)) return std::nullopt;
    return parse_whole<std::int64_t>(word);
}

std::string_view memory_format_name(MemoryFormat format) {
    const auto index = static_cast<std::size_t>(format);
    return index < kMemoryFormats.size() ? kMemoryFormats[index] : "?";
}

std::optional<MemoryFormat> memory_format_from_name(std::string_view name) {
    for (std::size_t i = 0; i < kMemoryFormats.size(); ++i) {
        if (kMemoryFormats[i] == name) return static_cast<MemoryFormat>(i);
    }
    return std::nullopt;
}

}  // namespace esper::graph
