#pragma once

#include <string>

#include "esper/cli/drive.h"
#include "esper/configs/load.h"

namespace esper::cli {

/// The configuration that `esper train FILE` trains by: of a YAML file, of standard input (`-`),
/// the built-in one (empty), or, where FILE names data, the one that is chosen for them, which is
/// shown.
Result<configs::LoadedConfig> load_training_config(const std::string& file,
                                                   const configs::LoadOptions& options,
                                                   const OutputFlags& output);

}  // namespace esper::cli
