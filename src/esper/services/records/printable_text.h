#pragma once

#include <string>
#include <string_view>

namespace esper::records {

/// A stranger's text as it can be written to a terminal: a tab becomes a blank, and what could end
/// a line, drive the terminal or is no UTF-8 becomes `\x1b`.
std::string printable(std::string_view text);

/// A command of a message with one more word, e.g. a folder: `'esper resume runs/a'`, or, where a
/// shell would not take the word as it is, `esper resume 'my runs/a'`.
std::string command_with(std::string_view command, std::string_view word);
/// The word as a shell takes it.
std::string shell_word(std::string_view word);

}  // namespace esper::records
