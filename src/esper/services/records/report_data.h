#pragma once

#include <filesystem>

#include "esper/base/error.h"

namespace esper::records {

/// Reads the files of a run's folder and writes the report, one self-contained HTML file.
/// Errors: those of reading its files, kForeignJournal, those of writing.
Status write_report(const std::filesystem::path& folder, const std::filesystem::path& file);

}  // namespace esper::records
