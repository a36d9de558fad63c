#pragma once

#include <string>
#include <string_view>

#include "esper/base/printable_text.h"

namespace esper::records {

using esper::printable;

/// A command of a message with one more word, e.g. a folder: `'esper resume runs/a'`, or, where a
/// shell would not take the word as it is, `esper resume 'my runs/a'`.
std::string command_with(std::string_view command, std::string_view word);
/// The word as a shell takes it.
std::string shell_word(std::string_view word);

}  // namespace esper::records
