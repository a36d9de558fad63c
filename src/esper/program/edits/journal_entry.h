#pragma once

#include <string>
#include <string_view>

#include "esper/program/edits/journal.h"

namespace esper::graph {

/// `previous` of the first entry.
inline constexpr std::string_view kNoPrevious =
    "0000000000000000000000000000000000000000000000000000000000000000";

/// The hash of the entry's other fields.
std::string entry_hash(const JournalEntry& entry);

/// The entry as a line without line end: JSON without blanks, keys in alphabetical order.
std::string entry_line(const JournalEntry& entry);

/// Reads one line. Error: kBrokenChain unless the line is exactly as entry_line writes it and has
/// the right hash.
Result<JournalEntry> entry_from_line(std::string_view line);

}  // namespace esper::graph
