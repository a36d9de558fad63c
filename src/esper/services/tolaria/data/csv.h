#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "esper/services/tolaria/data/data_errors.h"

namespace esper::tolaria {

enum class TableFormat : std::uint8_t { kCsv, kParquet };

/// The cells of a table, column by column, as texts: a CSV file's, or a Parquet file's as the CSV
/// file of the same table has them (parquet_file.h).
struct CsvTable {
    TableFormat format = TableFormat::kCsv;
    /// What the cells are slices of.
    std::vector<std::shared_ptr<const void>> cells_of;
    std::vector<std::string> names;
    std::vector<std::vector<std::string_view>> columns;
    /// The file's line on which each row begins, of Parquet the row's number, from 1.
    std::vector<std::uint64_t> lines;
    char delimiter = ',';
    bool has_header = false;
    /// Columns whose name stands to the left of them as well: they were given another one.
    std::vector<std::string> renamed;
    /// Rows that were left out, and what was wrong with the first of them.
    std::uint64_t skipped = 0;
    std::string first_skipped;
    /// Columns that are not read, and why.
    std::vector<std::pair<std::string, std::string>> left_out;
    /// Of several files the names, and how many rows there are up to the end of each.
    std::vector<std::pair<std::string, std::size_t>> files;

    std::size_t rows() const { return lines.size(); }
    /// Where a row stands in its file: `line 7`, `part-2.csv, line 7`, `row 6`.
    std::string place(std::size_t row) const;
    /// `; column 'a' is left out: …` for each column that is not read.
    std::string words_of_left_out() const;
};

/// Reads RFC 4180, with `,`, `;`, tab or `|` between cells, whichever the first line has most of.
/// The first line holds names, unless one of its cells is a number, or two are alike or one is
/// empty and one of them comes again below it; then columns without a name of their own are
/// numbered. A row with too few or too many cells, or with a quote that never ends, is refused, or
/// left out with `skip`. Errors: kCorrupt with the line; kTooSmall for fewer columns or rows than
/// `least`.
Result<CsvTable> parse_csv(std::string text, bool skip, std::size_t least = 2);

/// A cell as a number, blanks around it left out; nothing for anything else, also for `inf`, `nan`.
bool parse_number(std::string_view cell, double& value);
/// Empty, or one of the words that stand for nothing: NA, N/A, NaN, null, None, ?.
bool is_missing(std::string_view cell);

}  // namespace esper::tolaria
