#pragma once

#include <filesystem>
#include <string>

#include "esper/configs/data.h"
#include "esper/services/tolaria/data/data_errors.h"

namespace esper::tolaria {

/// What lies at a path, and as which data.kind it can be learnt from.
struct RecognisedData {
    configs::DataKind kind = configs::DataKind::kText;
    std::string what;  ///< `a table (CSV)`, `a folder of images`, …
};

/// Looks at names and first bytes only. Errors: kMissing; kUnsupportedFormat for what is known and
/// cannot be read, with what to do instead.
Result<RecognisedData> recognise(const std::filesystem::path& path);

/// Whether a file is meant as a configuration: its name ends in .yaml or .yml, or it is a text
/// whose first line is a section of one.
bool looks_like_configuration(const std::filesystem::path& path);

}  // namespace esper::tolaria
