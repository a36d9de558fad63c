#pragma once

#include <filesystem>
#include <vector>

#include "esper/services/tolaria/data/data_errors.h"

namespace esper::tolaria {

/// The files that a path to texts names, by name: the file itself; of a folder its .txt and .md
/// files; of a name with `*` or `?` the files of that folder that fit. Errors: kUnsupportedFormat
/// for a folder without texts, kMissing where none fits.
Result<std::vector<std::filesystem::path>> text_files(const std::filesystem::path& path);

/// Whether a path is a pattern for several files: its name has `*` or `?` and is no file.
bool is_pattern(const std::filesystem::path& path);

}  // namespace esper::tolaria
