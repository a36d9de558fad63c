#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "esper/program/edits/journal.h"
#include "esper/services/tolaria/learn/learner.h"

namespace esper::cli {

/// What a checkpoint holds of the network, to be looked at, run or exported.
struct RunState {
    std::unique_ptr<tolaria::Learner> learner;
    std::int64_t step = 0;
    const graph::ProgramPtr& program() const { return learner->program(); }
    graph::TensorStore& store() const { return learner->store(); }
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
