#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "esper/engine/tensor_store.h"
#include "esper/program/edits/journal.h"

namespace esper::cli {

/// What a checkpoint holds of the network: its Program and its tensors.
struct RunState {
    graph::ProgramPtr program;
    graph::TensorStore store{{0, true}};
    std::int64_t step = 0;
};

/// Reads a checkpoint's file. Errors: those of read_checkpoint, kBadCheckpoint.
Result<RunState> load_checkpoint(const std::filesystem::path& file);

/// The checkpoint of a run's folder named `best`, `last` or by its step.
Result<RunState> load_run(const std::filesystem::path& folder, const std::string& which);

/// The run's journal; empty where the run has none (nothing ever grew).
Result<std::vector<graph::JournalEntry>> load_journal(const std::filesystem::path& folder);

/// Refuses what is no run's folder.
Status check_run_folder(const std::filesystem::path& folder);

/// Prints the error and gives its exit code.
int report_error(const Error& error);

}  // namespace esper::cli
