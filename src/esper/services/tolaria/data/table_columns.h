#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/tolaria/data/stratified_split.h"

namespace esper::tolaria {

/// One column of a table: numbers, or categories.
struct TableColumn {
    std::string name;
    /// Of a column of numbers; NaN where the cell is missing.
    std::vector<double> numbers;
    /// Of a column of categories: for each row an index into `names`.
    std::vector<std::uint32_t> categories;
    std::vector<std::string> names;  ///< sorted

    bool is_numeric() const { return categories.empty(); }
    std::size_t rows() const { return is_numeric() ? numbers.size() : categories.size(); }
};

/// Numbers where every cell is one or is missing, else categories, a missing cell being one of
/// them.
TableColumn read_column(std::string name, std::span<const std::string_view> cells);

/// A number as it is shown as the name of a class.
std::string number_name(double value);

/// The inputs of all parts, one row after another, and how they came about.
struct TableInputs {
    std::int64_t features = 0;
    std::array<std::vector<float>, kPartCount> parts;
    std::vector<std::string> notes;
};

/// A number becomes (value - mean) / deviation, with mean and deviation of the train part; a
/// missing one the mean, and a further input says that it was missing. A category becomes one input
/// for each of the train part's 64 most frequent. Columns that tell nothing are left out and noted:
/// those with one value, those that count the rows, and texts that differ from row to row. Errors:
/// kTooSmall where no column is left, kTooLarge.
Result<TableInputs> encode_columns(std::span<const TableColumn> columns, const PartRows& parts);

}  // namespace esper::tolaria
