#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "esper/base/error.h"
#include "esper/cli/drive.h"
#include "esper/cli/unfinished_folder.h"

namespace esper::cli {

/// Whether a word names a model exported from Python: a file whose name ends in `.pt2`.
bool is_model_file(const std::filesystem::path& path);

/// Makes a run of such a model, stopped before its first step, so that all commands that take a
/// run take the model: its network, its values and `data` as `esper train data` reads them.
/// `folder`: the run's; empty: runs/<the file's name>-<n>. `overrides`: as of `esper train`; the
/// model's path and that it does not grow are set. Returns the folder, which `made` takes away
/// again unless it is told to keep it. Errors: those of the configuration and of Trainer::create.
Result<std::filesystem::path> model_as_run(const std::filesystem::path& model,
                                           const std::string& data,
                                           const std::vector<std::string>& overrides,
                                           const std::filesystem::path& folder,
                                           const OutputFlags& output,
                                           std::optional<UnfinishedFolder>& made);

}  // namespace esper::cli
