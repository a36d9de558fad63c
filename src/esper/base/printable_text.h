#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace esper {

/// A stranger's text as it can be written to a terminal or into a message: a tab becomes a blank,
/// and what could end a line, drive the terminal, show text in another order than it has or is no
/// UTF-8 becomes `\x1b`. Of a text of more than `longest` bytes the characters that fit, and `…`.
std::string printable(std::string_view text, std::size_t longest = std::string_view::npos);

/// Bytes of a name from a file that a message repeats.
inline constexpr std::size_t kLongestName = 120;

/// What a user wrote, in single quotes and as above.
std::string in_quotes(std::string_view text, std::size_t longest = 60);

}  // namespace esper
