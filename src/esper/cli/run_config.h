#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "esper/configs/config.h"
#include "esper/services/tolaria/data/dataset.h"

namespace esper::cli {

/// The configuration of a run's folder, with overrides. Paths in it hold wherever the command is
/// given: a relative one, as older runs wrote it, is looked for in the working directory, in the
/// one that the run was started in, and in the folders above the run's.
/// Errors: those of check_run_folder and of loading.
Result<configs::EsperConfig> load_run_config(const std::filesystem::path& folder,
                                             const std::vector<std::string>& overrides);

/// For commands that look at what a run has trained: the only override is where the data are now.
/// Errors: kUnsupported for another key; those of load_run_config.
Result<configs::EsperConfig> load_config_to_look(const std::filesystem::path& folder,
                                                 const std::vector<std::string>& overrides);

/// The run's data. Errors: those of opening it, with what to do; kChangedRun, with both
/// fingerprints, where it is not the data that the run was started on.
Result<std::shared_ptr<const tolaria::Dataset>> open_run_data(const configs::EsperConfig& config,
                                                              const std::string& fingerprint,
                                                              const std::filesystem::path& folder);

}  // namespace esper::cli
