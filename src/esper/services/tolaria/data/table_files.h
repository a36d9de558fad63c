#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "esper/services/tolaria/data/csv.h"

namespace esper::tolaria {

/// A table and the fingerprint of what it was read from.
struct ReadTable {
    CsvTable table;
    std::string sha256;
};

/// The files of a table: of a pattern those that fit it, of a folder its .parquet files, sorted by
/// name; else the path itself. Error: kMissing where there is none.
Result<std::vector<std::filesystem::path>> table_files(const std::filesystem::path& path);

/// Reads one CSV file (also .csv.gz) or Parquet file. `skip` and `least` as in parse_csv. Errors:
/// kUnsupportedFormat, those of reading and of the format.
Result<ReadTable> read_table_file(const std::filesystem::path& path, bool skip,
                                  std::size_t least = 2);

/// Reads the files of a table one after another; they must have the same columns. Errors: those of
/// read_table_file, with the file's name; kCorrupt for columns that differ.
Result<ReadTable> read_table(const std::filesystem::path& path, bool skip);

}  // namespace esper::tolaria
