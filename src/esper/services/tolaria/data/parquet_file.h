#pragma once

#include <cstdint>
#include <string>

#include "esper/services/tolaria/data/csv.h"
#include "esper/services/tolaria/data/data_bytes.h"

namespace esper::tolaria {

/// Reads a Parquet file by libesper_parquet.so, which lies beside the program and is opened at the
/// first call. The cells are those of the CSV file that pandas writes of the same table; `lines`
/// are row numbers from 1. Nested columns and an index of pandas are left out. Errors:
/// kUnsupportedFormat where the library is missing; kCorrupt; kTooLarge for more than `most_bytes`;
/// kTooSmall for fewer rows or columns than `least`.
Result<CsvTable> parse_parquet(const std::string& bytes, std::size_t least = 2,
                               std::uint64_t most_bytes = most_memory());

}  // namespace esper::tolaria
