#include "esper/services/tolaria/data/vocabulary.h"

#include <fmt/format.h>

#include <set>

#include "esper/services/tolaria/data/utf8.h"

namespace esper::tolaria {
namespace {

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

std::string Vocabulary::decode(std::span<const std::int64_t> tokens) const {
    std::string text;
    for (const std::int64_t token : tokens) {
        const auto place = static_cast<std::uint64_t>(token);
        text += place < size() ? characters_[place] : encode_utf8(U'\uFFFD');
    }
    return text;
}

}  // namespace esper::tolaria
