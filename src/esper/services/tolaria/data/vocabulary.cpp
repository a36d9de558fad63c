#include "esper/services/tolaria/data/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "esper/services/tolaria/data/utf8.h"

namespace esper::tolaria {
namespace {

constexpr std::uint64_t kMostLacking = 100;  // one character in so many

tl::unexpected<Error> not_text(std::string_view text, std::size_t offset) {
    return fail(DataError::kNotText,
                fmt::format("expected UTF-8 text, but byte 0x{:02x} at offset {} is none; convert "
                            "the file, e.g. with iconv -t UTF-8",
                            static_cast<unsigned char>(text[offset]), offset));
}

}  // namespace

Result<Vocabulary> Vocabulary::of_text(std::string_view utf8) {
    std::set<char32_t> distinct;
    for (std::size_t at = 0; at < utf8.size();) {
        const Utf8Step step = decode_utf8(utf8, at);
        if (step.length == 0) return not_text(utf8, at);
        distinct.insert(step.code_point);
        at += step.length;
    }
    std::vector<std::string> characters;
    for (const char32_t c : distinct) characters.push_back(encode_utf8(c));
    return of_characters(characters);
}

Result<Vocabulary> Vocabulary::of_characters(std::span<const std::string> characters) {
    if (characters.size() < 2) {
        return fail(DataError::kTooSmall,
                    fmt::format("a vocabulary needs at least two different characters, got {}",
                                characters.size()));
    }
    Vocabulary vocabulary;
    for (const std::string& c : characters) {
        const Utf8Step step = c.empty() ? Utf8Step{} : decode_utf8(c, 0);
        if (step.length == 0 || step.length != c.size()) {
            return fail(DataError::kCorrupt,
                        fmt::format("entry {} of the vocabulary is not one UTF-8 character",
                                    vocabulary.size()));
        }
        const auto token = static_cast<std::uint32_t>(vocabulary.size());
        if (!vocabulary.tokens_.emplace(step.code_point, token).second) {
            return fail(DataError::kCorrupt,
                        fmt::format("the vocabulary holds '{}' twice, at {} and {}", c,
                                    vocabulary.tokens_.at(step.code_point), token));
        }
        vocabulary.characters_.push_back(c);
    }
    return vocabulary;
}

Result<std::vector<std::uint32_t>> Vocabulary::encode(std::string_view utf8) const {
    std::vector<std::uint32_t> tokens;
    tokens.reserve(utf8.size());
    for (std::size_t at = 0; at < utf8.size();) {
        const Utf8Step step = decode_utf8(utf8, at);
        if (step.length == 0) return not_text(utf8, at);
        const auto found = tokens_.find(step.code_point);
        if (found == tokens_.end()) {
            return fail(DataError::kCorrupt,
                        fmt::format("character '{}' at byte {} is not in the vocabulary of {} "
                                    "characters that the model was trained with",
                                    encode_utf8(step.code_point), at, size()));
        }
        tokens.push_back(found->second);
        at += step.length;
    }
    return tokens;
}

Result<Vocabulary::Known> Vocabulary::encode_known(std::string_view utf8) const {
    const auto mark = tokens_.find(U'?');
    const std::uint32_t substitute = mark == tokens_.end() ? 0 : mark->second;
    Known known;
    known.tokens.reserve(utf8.size());
    std::map<char32_t, std::uint64_t> lacking;
    for (std::size_t at = 0; at < utf8.size();) {
        const Utf8Step step = decode_utf8(utf8, at);
        if (step.length == 0) return not_text(utf8, at);
        const auto found = tokens_.find(step.code_point);
        known.tokens.push_back(found == tokens_.end() ? substitute : found->second);
        if (found == tokens_.end()) {
            ++lacking[step.code_point];
            ++known.replaced;
        }
        at += step.length;
    }
    if (known.replaced * kMostLacking <= known.tokens.size()) return known;
    std::vector<std::pair<std::uint64_t, char32_t>> most;
    for (const auto& [c, times] : lacking) most.emplace_back(times, c);
    std::ranges::sort(most, std::greater{});
    most.resize(std::min<std::size_t>(most.size(), 5));
    std::string named;
    for (const auto& [times, c] : most)
        named += fmt::format("{}'{}' {} times", named.empty() ? "" : ", ", encode_utf8(c), times);
    return fail(DataError::kCorrupt,
                fmt::format("{} of {} characters are not in the vocabulary of {} characters that "
                            "the model was trained with ({}); at most one in {} may be",
                            known.replaced, known.tokens.size(), size(), named, kMostLacking));
}

std::string Vocabulary::decode(std::span<const std::int64_t> tokens) const {
    std::string text;
    for (const std::int64_t token : tokens) {
        const auto place = static_cast<std::uint64_t>(token);
        text += place < size() ? characters_[place] : encode_utf8(U'\uFFFD');
    }
    return text;
}

}  // namespace esper::tolaria
