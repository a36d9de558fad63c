#pragma once

#include <filesystem>

#include "esper/cli/drive.h"
#include "esper/configs/config.h"

namespace esper::cli {

/// What comes after a run with a budget has been driven to its end: it is finished at each budget
/// of its run.finish_at, as `esper finish` does. Returns the exit code.
int finish_named(const std::filesystem::path& run, const configs::EsperConfig& trunk,
                 const OutputFlags& output);

}  // namespace esper::cli
