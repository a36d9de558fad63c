#pragma once

#include <filesystem>

#include "esper/base/error.h"
#include "esper/configs/config.h"
#include "esper/services/urza/library.h"

namespace esper::cli {

/// What the files of a finished run say of the blueprints that it tried: how each seed ended, what
/// it brought and cost, and which candidates were measured. Errors: those of reading the files,
/// kUnknownBlueprint for one that the catalogue does not have.
Result<urza::FieldRun> field_run(const std::filesystem::path& folder,
                                 const configs::EsperConfig& config);

/// Files it in this user's library, where the run used one (growth.kernels) and grew. What goes
/// wrong is said on standard error; the run is none the worse.
void file_field_run(const std::filesystem::path& folder, const configs::EsperConfig& config);

}  // namespace esper::cli
