#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "esper/cli/optuna_journal.h"
#include "esper/cli/run_rows.h"
#include "esper/cli/sweep_plan.h"

namespace esper::cli {

/// Whether a run of a sweep has begun, so that it can be resumed.
bool is_begun(const std::filesystem::path& folder);

/// What has come of a sweep's runs, shown as it comes and as a table at the end.
class SweepResults {
  public:
    SweepResults(std::filesystem::path folder, const SweepPlan& plan, bool as_json)
        : folder_(std::move(folder)), plan_(plan), runs_(plan.runs()), json_(as_json) {}

    void say_begin(int jobs) const;
    void say_started(std::size_t number) const;
    /// Takes a run that was finished earlier; false where it is not.
    bool take_if_done(std::size_t number);
    /// Takes a run whose process has ended.
    void take(std::size_t number, int exit_code);
    /// The table, by best validation loss, and the best configuration as best.yaml. Errors: those
    /// of writing.
    Status end() const;
    /// 0 where every run is done, else that of the first that is not.
    int exit_code() const { return failed_; }
    /// What there is for a study.
    SweepOutcome outcome() const { return {done_, failed_runs_}; }

  private:
    struct Row;
    void say(std::size_t number, int exit_code, const std::string& problem) const;
    std::string last_line_of_log(const std::string& run) const;
    std::vector<Row> rows() const;
    Status write_best(const Row& best) const;

    std::filesystem::path folder_;
    const SweepPlan& plan_;
    std::vector<SweepRun> runs_;
    bool json_;
    std::map<std::size_t, ListedRun> done_;  ///< by the run's number
    std::set<std::size_t> failed_runs_;
    int failed_ = 0;
};

}  // namespace esper::cli
