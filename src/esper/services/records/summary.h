#pragma once

#include <filesystem>
#include <string>

#include "esper/services/records/records_errors.h"

namespace esper::records {

/// The summary of a finished run, from the files of its folder: what grew and why, sampled text
/// before and after, the figures, and where the report is.
Result<std::string> summary_of_run(const std::filesystem::path& folder);

}  // namespace esper::records
