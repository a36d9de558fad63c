#include "esper/services/tolaria/data/word_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <array>

namespace esper::tolaria {
namespace {

constexpr std::uint32_t kMostSteps = 10'000'000;  // of one match; a word takes some dozens

std::string message_of(int code) {
    std::array<PCRE2_UCHAR, 256> text{};
    pcre2_get_error_message(code, text.data(), text.size());
    return reinterpret_cast<const char*>(text.data());
}

PCRE2_SPTR units(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

}  // namespace

Result<WordPattern> WordPattern::compile(const std::string& pattern) {
    int error = 0;
    PCRE2_SIZE at = 0;
    auto* code =
        pcre2_compile(units(pattern), pattern.size(),
                      PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &at, nullptr);
    if (code == nullptr)
        return fail(DataError::kCorrupt,
                    fmt::format("the pattern that divides texts into words is no regular "
                                "expression: {} at {}",
                                message_of(error), at));
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // without it matches take longer, no more
    WordPattern compiled;
    compiled.code_ =
        std::shared_ptr<void>(code, [](void* c) { pcre2_code_free(static_cast<pcre2_code*>(c)); });
    return compiled;
}

Result<std::vector<std::string_view>> WordPattern::divide(std::string_view utf8) const {
    const auto* code = static_cast<const pcre2_code*>(code_.get());
    const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match(
        pcre2_match_data_create_from_pattern(code, nullptr), pcre2_match_data_free);
    const std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> limits(
        pcre2_match_context_create(nullptr), pcre2_match_context_free);
    pcre2_set_match_limit(limits.get(), kMostSteps);
    std::vector<std::string_view> words;
    const auto add = [&](std::size_t from, std::size_t to) {
        if (to > from) words.push_back(utf8.substr(from, to - from));
    };
    std::size_t begin = 0;  // of what no word has taken yet
    std::size_t at = 0;     // where the next match is looked for
    while (at < utf8.size()) {
        const int found = pcre2_match(code, units(utf8), utf8.size(), at, PCRE2_NO_UTF_CHECK,
                                      match.get(), limits.get());
        if (found == PCRE2_ERROR_NOMATCH) break;
        if (found < 0)
            return fail(DataError::kTooLarge,
                        fmt::format("the pattern that divides texts into words failed at byte {}: "
                                    "{}",
                                    at, message_of(found)));
        const auto* ends = pcre2_get_ovector_pointer(match.get());
        if (ends[1] <= ends[0]) {  // nothing fits: go on behind the next character
            at = std::max(at, static_cast<std::size_t>(ends[0])) + 1;
            while (at < utf8.size() && (static_cast<unsigned char>(utf8[at]) & 0xC0U) == 0x80U)
                ++at;
            continue;
        }
        add(begin, ends[0]);
        add(ends[0], ends[1]);
        begin = at = ends[1];
    }
    add(begin, utf8.size());
    return words;
}

}  // namespace esper::tolaria
