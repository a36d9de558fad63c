#include <algorithm>
#include <array>
#include <cstddef>

#include "esper/base/ascii.h"
#include "esper/base/utf8.h"
#include "esper/configs/budget.h"
#include "esper/configs/image_size.h"
#include "esper/configs/numbers.h"
#include "esper/configs/parameter_group.h"
#include "esper/configs/values.h"

namespace esper::configs {
namespace {

bool is_word_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

bool is_plain_text(std::string_view text) {
    while (!text.empty()) {
        const auto first = static_cast<unsigned char>(text.front());
        if (first < 0x20 || first == 0x7F) return false;
        const std::size_t length = utf8_sequence(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

bool is_url(std::string_view text) {
    const auto scheme = text.find("://");
    if (scheme == std::string_view::npos || scheme == 0) return false;
    const auto in_scheme = [](char c) { return is_word_character(c) || c == '+'; };
    if (!std::ranges::all_of(text.substr(0, scheme), in_scheme)) return false;
    auto host = text.substr(scheme + 3);
    if (host.find(' ') != std::string_view::npos) return false;
    host = host.substr(0, host.find_first_of("/?#"));
    // In front of the host there may be a user, a password, or (redis) a password alone.
    if (const auto at = host.rfind('@'); at != std::string_view::npos) host = host.substr(at + 1);
    return !host.empty() && host.front() != ':';
}

/// Words that a reader of YAML 1.1 or 1.2 takes for something other than a text.
bool means_something_else(std::string_view text) {
    const auto word = lowered(std::string(text));
    constexpr std::array<std::string_view, 10> words{"null", "true", "false", "yes", "no",
                                                     "on",   "off",  "y",     "n",   "~"};
    return std::ranges::find(words, word) != words.end();
}

}  // namespace

bool has_form(std::string_view text, TextForm form) {
    if (!is_plain_text(text)) return false;
    switch (form) {
        case TextForm::kAny:
            return true;
        case TextForm::kNotEmpty:
            return !text.empty();
        case TextForm::kFileName:
            return !text.empty() && text.size() <= 100 && text.front() != '.' &&
                   std::ranges::all_of(text, is_word_character);
        case TextForm::kGlob:
            return !text.empty() && std::ranges::all_of(text, [](char c) {
                return is_word_character(c) || c == '*' || c == '?';
            });
        case TextForm::kUrl:
            return text.empty() || is_url(text);
        case TextForm::kBudget:
            return Budget::parse(text).has_value();
        case TextForm::kParameterGroup:
            return ParameterGroup::parse(text).has_value();
        case TextForm::kImageSize:
            return ImageSize::parse(text).has_value();
    }
    return false;
}

std::string_view describe_form(TextForm form) {
    switch (form) {
        case TextForm::kNotEmpty:
            return "a text that is not empty";
        case TextForm::kFileName:
            return "a name of letters, digits, '_', '-' and '.' (at most 100, no leading dot)";
        case TextForm::kGlob:
            return "a pattern of letters, digits, '_', '-', '.', '*' and '?'";
        case TextForm::kUrl:
            return "a URL such as https://host:8000, or \"\"";
        case TextForm::kBudget:
            return "FLOPs such as 3e12 or a time such as 90s, 30m or 2h";
        case TextForm::kParameterGroup:
            return "a pattern of parameters' names and what is other for them, such as "
                   "'**.bias weight_decay=0' or 'blocks.0.** rate=0.1'";
        case TextForm::kImageSize:
            return "a side from 1 to 4096 pixels, and behind @ the share of the run from which "
                   "on it holds (0% to below 100%), such as 16 or 24@30%";
        case TextForm::kAny:
            break;
    }
    return "a text without control characters";
}

std::string write_text(std::string_view text) {
    double number = 0;
    const auto is_safe = [](char c) { return is_word_character(c) || c == '/'; };
    const bool plain = !text.empty() && std::ranges::all_of(text, is_safe) && text.front() != '-' &&
                       text.front() != '.' && !(text.front() >= '0' && text.front() <= '9') &&
                       !means_something_else(text) && !read_number(text, number);
    if (plain) return std::string(text);
    std::string out = "\"";
    for (const char c : text) {
        constexpr std::string_view digits = "0123456789abcdef";
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20 || byte == 0x7F) {
            out += "\\x";
            out += digits[byte >> 4];
            out += digits[byte & 15];
        } else {
            out += c;
        }
    }
    return out + "\"";
}

}  // namespace esper::configs
