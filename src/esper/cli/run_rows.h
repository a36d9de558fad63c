#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "esper/base/error.h"
#include "esper/services/nissa/run_groups.h"

namespace esper::nissa {
class Run;
}

namespace esper::cli {

/// What tables say about one run; all of it read from its files, none of it believed.
struct ListedRun {
    std::string name;         ///< its folder, as the table shows it
    nlohmann::json row;       ///< of nissa::Run::row, with `host` and `data`
    nlohmann::json settings;  ///< of nissa::Run::settings
    std::string fingerprint;  ///< of its data

    bool is_readable() const { return row["state"] != "unreadable"; }
    nissa::RunFacts facts() const { return {row, settings, fingerprint}; }
};

/// Looks at one run's folder now.
ListedRun look_at_run(nissa::Run& run, std::string name);

/// The runs below a folder, which may be a run itself, in the order of their names. Error:
/// NissaError::kNoFolder.
Result<std::vector<ListedRun>> runs_below(const std::filesystem::path& folder);

/// Each of `paths` is a run, or a folder whose runs are meant. Errors: kNoFolder;
/// RecordsError::kBadRunFolder for a folder without a run; NissaError::kDamagedFile for a run whose
/// run.json cannot be read.
Result<std::vector<ListedRun>> runs_named(const std::vector<std::string>& paths);

// Cells; a dash where there is nothing to say.
std::string loss_cell(const nlohmann::json& row, const char* key);
/// The best validation loss, or of an older or unfinished run the last one.
std::string validation_cell(const nlohmann::json& row);
/// Test accuracy, else the last validation accuracy; of a regression its RMSE.
std::string accuracy_cell(const nlohmann::json& row);
std::string count_cell(const nlohmann::json& row, const char* key);
/// `113 k → 114 k`, or one of them where they are the same.
std::string parameters_cell(const nlohmann::json& row);
/// `1/4`: seeds kept and culled.
std::string seeds_cell(const nlohmann::json& row);
std::string seconds_cell(const nlohmann::json& row);

}  // namespace esper::cli
