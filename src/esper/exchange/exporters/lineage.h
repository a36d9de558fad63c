#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "esper/program/edits/journal.h"

namespace esper::graph {

/// The checkpoint that a network was taken from.
struct LineageOrigin {
    std::string checkpoint;  ///< `best`, `last` or a step
    std::int64_t step = 0;
};

/// Where a network came from, as JSON: its Program, the seeds in it with their blueprints, and
/// every edit of the journal (which may be empty) with its step and reason. The journal must end
/// with this Program: cut it to the network's checkpoint first.
/// Errors: kHashMismatch where it ends with another.
Result<std::string> lineage_json(const Program& program, const std::vector<JournalEntry>& journal,
                                 const std::optional<LineageOrigin>& origin = {});

}  // namespace esper::graph
