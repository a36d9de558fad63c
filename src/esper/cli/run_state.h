#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "esper/cli/print.h"
#include "esper/services/records/lineage_check.h"
#include "esper/services/tolaria/learn/learner.h"

namespace esper::cli {

/// What a checkpoint holds of the network, to be looked at, run or exported.
struct RunState {
    std::unique_ptr<tolaria::Learner> learner;
    std::int64_t step = 0;
    std::string checkpoint;  ///< `best`, `last` or a step: which one of the run's it is
    records::CheckpointHead head;
    const graph::ProgramPtr& program() const { return learner->program(); }
    graph::TensorStore& store() const { return learner->store(); }
};

/// Reads a checkpoint's file. `how`: how its network would be trained on, where it is. Errors:
/// those of read_checkpoint, kBadCheckpoint.
Result<RunState> load_checkpoint(const std::filesystem::path& file,
                                 const tolaria::Learner::Options& how = {});

/// The checkpoint of a run's folder named `best`, `last` or by its step. An empty name, the
/// commands' default, is `best`, and `last` while no epoch has ended yet, so that there is no best.
Result<RunState> load_run(const std::filesystem::path& folder, const std::string& which,
                          const tolaria::Learner::Options& how = {});

/// `best checkpoint (step 40)`, for what a command prints.
std::string name_of(const RunState& run);

/// The help text of --checkpoint, the same on every command that has it.
inline constexpr const char* kCheckpointHelp =
    "best (lowest validation loss, the default), last or a step";

/// The run's journal, cut to the edits that led to the checkpoint; empty where the run has none.
/// Errors: those of read_run_journal, kForeignJournal.
Result<std::vector<graph::JournalEntry>> journal_of(const RunState& run,
                                                    const std::filesystem::path& folder);

}  // namespace esper::cli
