#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/tolaria/data/csv.h"
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

/// How the columns of a table become inputs, as the training part has it: a number becomes
/// (value - mean) / deviation, at most a million either way, a missing one the mean, and a further
/// input says that it was missing; a category becomes one input for each of the training part's 64
/// most frequent.
class TableEncoder {
  public:
    /// Columns that tell nothing are left out and noted: those with one value, those that count the
    /// rows, and texts that differ from row to row. Error: kTooSmall where no column is left.
    static Result<TableEncoder> fit(std::span<const TableColumn> columns,
                                    const std::vector<std::uint32_t>& train,
                                    std::vector<std::string>& notes);

    std::int64_t features() const { return features_; }
    /// Writes the inputs of the rows, one after another, into zeros. `columns` are those of fit(),
    /// or what read() gave.
    void encode(std::span<const TableColumn> columns, std::span<const std::uint32_t> rows,
                float* out) const;
    /// The columns of a table that came later, by their names; others are passed over. Notes what
    /// the training part did not have. Errors: kCorrupt for a column that is missing, and for a
    /// cell of a column of numbers that is none, with its line.
    Result<std::vector<TableColumn>> read(const CsvTable& table,
                                          std::vector<std::string>& notes) const;

  private:
    struct Encoding {
        std::string name;
        std::size_t column = 0;  ///< among the columns that encode() is given
        bool is_numeric = true;
        double mean = 0;
        double deviation = 1;
        bool says_missing = false;
        std::vector<std::string> names;  ///< of the column's categories
        /// Of each category of the column the input that stands for it; -1: none does.
        std::vector<std::int64_t> input_of;
        std::int64_t width = 1;
    };
    static bool fit_numbers(const TableColumn& column, const std::vector<std::uint32_t>& train,
                            Encoding& encoding);
    static bool fit_categories(const TableColumn& column, const std::vector<std::uint32_t>& train,
                               Encoding& encoding, std::vector<std::string>& notes);
    static Result<TableColumn> read_numbers(const Encoding& encoding, const CsvTable& table,
                                            std::span<const std::string_view> cells);
    static TableColumn read_categories(const Encoding& encoding,
                                       std::span<const std::string_view> cells,
                                       std::vector<std::string>& notes);

    std::vector<Encoding> encodings_;
    std::size_t columns_ = 0;
    std::int64_t features_ = 0;
};

/// The inputs of all parts, one row after another, and how they came about.
struct TableInputs {
    TableEncoder encoder;
    std::array<std::vector<float>, kPartCount> parts;
    std::vector<std::string> notes;
};

/// Encodes all parts, with `known` or else with an encoder that is fitted to the train part.
/// Errors: those of fit(), kTooLarge.
Result<TableInputs> encode_columns(std::span<const TableColumn> columns, const PartRows& parts,
                                   const TableEncoder* known = nullptr);

}  // namespace esper::tolaria
