#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "esper/services/tolaria/data/data_errors.h"

namespace esper::tolaria {

/// The distinct characters (Unicode code points) of a text in ascending order. A character's token
/// is its index in that order.
class Vocabulary {
  public:
    /// The vocabulary of a UTF-8 text. Errors: kNotText with the offset of the first bad byte;
    /// kTooSmall for fewer than two different characters.
    static Result<Vocabulary> of_text(std::string_view utf8);
    /// From a list of characters in the order of their tokens, as `characters()` returns it.
    static Result<Vocabulary> of_characters(std::span<const std::string> characters);

    std::size_t size() const { return characters_.size(); }
    const std::vector<std::string>& characters() const { return characters_; }

    /// Errors: kNotText; kCorrupt for a character that the vocabulary lacks.
    Result<std::vector<std::uint32_t>> encode(std::string_view utf8) const;
    /// As encode(), but a character that the vocabulary lacks becomes `?`, or the first character
    /// where it lacks that, too. Errors: kNotText; kCorrupt where more than one character in a
    /// hundred is lacking, with those that are most frequent.
    struct Known {
        std::vector<std::uint32_t> tokens;
        std::uint64_t replaced = 0;
    };
    Result<Known> encode_known(std::string_view utf8) const;
    /// Unknown numbers become U+FFFD.
    std::string decode(std::span<const std::int64_t> tokens) const;

  private:
    std::vector<std::string> characters_;
    std::unordered_map<char32_t, std::uint32_t> tokens_;
};

}  // namespace esper::tolaria
