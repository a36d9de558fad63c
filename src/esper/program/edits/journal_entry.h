#pragma once

#include <string>
#include <string_view>

#include "esper/program/edits/journal.h"

namespace esper::graph {

/// What the first entry names as its predecessor.
inline constexpr std::string_view kNoPrevious =
    "0000000000000000000000000000000000000000000000000000000000000000";

/// The hash that belongs to the entry's other fields.
std::string entry_hash(const JournalEntry& entry);

/// The entry's one line, without the line end: JSON without blanks, keys in alphabetical order.
std::string entry_line(const JournalEntry& entry);

/// Reads one line; a line that is not exactly what entry_line would write, or whose hash does not
/// fit, is refused. Errors: kBrokenChain.
Result<JournalEntry> entry_from_line(std::string_view line);

}  // namespace esper::graph
