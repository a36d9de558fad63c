#pragma once

#include <filesystem>

#include "esper/base/error.h"

namespace esper::records {

/// Gathers what a run's folder tells and writes it as one self-contained HTML file.
/// Errors: those of reading its files, kForeignJournal, those of writing.
Status write_report(const std::filesystem::path& folder, const std::filesystem::path& file);

}  // namespace esper::records
