#pragma once

#include <string>
#include <vector>

#include "esper/program/edits/journal.h"

namespace esper::graph {

/// Where a network came from, as JSON: its Program, the seeds in it with their blueprints, and
/// every edit of the journal (which may be empty) with its step and reason.
std::string lineage_json(const Program& program, const std::vector<JournalEntry>& journal);

}  // namespace esper::graph
