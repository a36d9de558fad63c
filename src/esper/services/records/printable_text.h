#pragma once

#include <string>
#include <string_view>

namespace esper::records {

/// A stranger's text as it can be written to a terminal: a tab becomes a blank, and what could end
/// a line, drive the terminal or is no UTF-8 becomes `\x1b`.
std::string printable(std::string_view text);

}  // namespace esper::records
