#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace esper::tolaria {

struct Utf8Step {
    char32_t code_point = 0;
    /// Bytes consumed; 0 for invalid UTF-8 (also overlong forms and surrogates).
    std::uint32_t length = 0;
};

/// Decodes the character that begins at `text[offset]`; `offset` must be inside the text.
Utf8Step decode_utf8(std::string_view text, std::size_t offset);

std::string encode_utf8(char32_t code_point);

/// Makes UTF-8 of pieces that may end inside a character.
class Utf8Stream {
  public:
    /// What is complete with this piece. Bytes that belong to no character become U+FFFD.
    std::string take(std::string_view piece);
    /// What is left at the end.
    std::string finish();

  private:
    std::string rest_;  ///< the beginning of a character
};

}  // namespace esper::tolaria
