#pragma once

#include <filesystem>
#include <string>

namespace esper::cli {

/// What a finished run has to tell: what grew and why, the text it wrote before and after, its
/// figures, and where to look further. Read from the run's folder alone.
std::string summary_of_run(const std::filesystem::path& folder);

}  // namespace esper::cli
