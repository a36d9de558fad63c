#pragma once

#include <filesystem>
#include <vector>

#include "esper/program/edits/journal.h"

namespace esper::records {

/// A run's journal, verified; empty where the run has none. A symbolic link is not followed.
/// Errors: those of graph::read_journal.
Result<std::vector<graph::JournalEntry>> read_run_journal(const std::filesystem::path& folder);

}  // namespace esper::records
