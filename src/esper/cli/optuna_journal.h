#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "esper/cli/run_rows.h"
#include "esper/cli/sweep_plan.h"

namespace esper::cli {

/// What has come of the runs of a sweep, by their numbers in SweepPlan::runs().
struct SweepOutcome {
    std::map<std::size_t, ListedRun> done;
    std::set<std::size_t> failed;
};

/// Refuses a file that a study cannot be written to: one that is there already, because Optuna may
/// have added trials to it, or one in a folder that is not there. Error: kBadOption.
Status check_optuna_file(const std::filesystem::path& file);

/// The sweep as a study in the format of Optuna's journal storage, one JSON object a line, which
/// Optuna 3.1 and later read: a trial for each run, its value the best validation loss (to be made
/// small), its parameters the swept keys. Seed, folder and the other figures are the trial's user
/// attributes. The study has the name of the sweep's folder.
std::string optuna_journal(const std::filesystem::path& folder, const SweepPlan& plan,
                           const SweepOutcome& outcome);

}  // namespace esper::cli
