#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/tolaria/data/data_errors.h"

namespace esper::tolaria {

/// The cells of a CSV file, column by column. Cells are slices of `text`.
struct CsvTable {
    std::shared_ptr<const std::string> text;
    std::vector<std::string> names;
    std::vector<std::vector<std::string_view>> columns;
    /// The file's line on which each row begins, from 1.
    std::vector<std::uint64_t> lines;
    char delimiter = ',';
    bool has_header = false;
    /// Rows that were left out, and what was wrong with the first of them.
    std::uint64_t skipped = 0;
    std::string first_skipped;

    std::size_t rows() const { return lines.size(); }
};

/// Reads RFC 4180, with `,`, `;`, tab or `|` between cells, whichever the first line has most of.
/// The first line holds names, unless one of its cells is a number. A row with too few or too many
/// cells, or with a quote that never ends, is refused, or left out with `skip`. Errors: kCorrupt
/// with the line; kTooSmall for fewer columns or rows than `least`.
Result<CsvTable> parse_csv(std::string text, bool skip, std::size_t least = 2);

/// A cell as a number, blanks around it left out; nothing for anything else, also for `inf`, `nan`.
bool parse_number(std::string_view cell, double& value);
/// Empty, or one of the words that stand for nothing: NA, N/A, NaN, null, None, ?.
bool is_missing(std::string_view cell);

}  // namespace esper::tolaria
