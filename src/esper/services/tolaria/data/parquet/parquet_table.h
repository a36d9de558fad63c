#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace esper::tolaria {

/// What libesper_parquet.so gives to the program that opened it: cells as a CSV file would hold
/// them. Standard types only, so that the library needs nothing of the program.
struct ParquetTable {
    enum class Fault : std::uint8_t { kNone, kCorrupt, kTooLarge };
    Fault fault = Fault::kNone;
    std::string message;  ///< of a fault

    std::vector<std::string> names;
    std::vector<std::vector<std::string_view>> columns;
    std::deque<std::string> texts;  ///< what the cells are slices of
    /// Columns that are not read, and why.
    std::vector<std::pair<std::string, std::string>> left_out;
    std::uint64_t rows = 0;
};

/// Reads a Parquet file that lies in memory. `most_bytes` bounds what the cells and Arrow take.
using ReadParquet = void(std::string_view bytes, std::uint64_t most_bytes, ParquetTable& table);

/// The name under which the library offers it; another number when ParquetTable changes.
inline constexpr const char* kReadParquetName = "esper_read_parquet_1";
inline constexpr const char* kParquetLibrary = "libesper_parquet.so";

}  // namespace esper::tolaria
