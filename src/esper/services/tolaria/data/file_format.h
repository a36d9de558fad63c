#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace esper::tolaria {

/// The format that a file's first bytes give away (`gzip`, `Parquet`, …), of those that people give
/// as data and that cannot be read here; empty for anything else.
std::string_view recognise_format(std::string_view bytes);

/// What lies at a path that is not the data it was given as: `a gzip file`, `a folder of .png
/// images`, `a CSV file`; empty where that cannot be told.
std::string recognise_data(const std::filesystem::path& path);

/// The formats that can be read, as the end of a sentence.
std::string_view readable_formats();

}  // namespace esper::tolaria
