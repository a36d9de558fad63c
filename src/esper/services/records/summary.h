#pragma once

#include <filesystem>
#include <string>

#include "esper/services/records/records_errors.h"

namespace esper::records {

/// What a finished run has to tell: what grew and why, the text it wrote before and after, its
/// figures, and where to look further. Read from the run's folder alone.
Result<std::string> summary_of_run(const std::filesystem::path& folder);

}  // namespace esper::records
