#pragma once

#include <filesystem>

#include "esper/base/error.h"

namespace esper::cli {

/// Refuses to write what a command prints over a file that a run lives by (its journal, a
/// checkpoint, …). Error: kUnsupported.
Status check_output_file(const std::filesystem::path& file);

}  // namespace esper::cli
