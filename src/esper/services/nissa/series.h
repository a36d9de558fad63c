#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/nissa/nissa_errors.h"

namespace esper::nissa {

/// Reads the numbers of a line, one for each element of `row`: NaN for an empty cell and for what
/// is not finite. False where the line has another number of cells, or one that is no number.
bool read_row(std::string_view line, std::span<double> row);

/// The values of one column over some stretch of x, made few enough to be drawn. A value that was
/// not measured or is not finite is NaN. Where each point stands for one row all three are equal.
struct Curve {
    std::vector<double> low, high, mean;
};

/// The columns of a metrics.csv of any length in bounded memory: rows are put together into buckets
/// that keep the least, the greatest and the mean value, and whenever there are too many buckets,
/// two and two become one. For a closer look at a stretch a bucket knows where its rows begin in
/// the file.
class Series {
  public:
    static constexpr std::size_t kMostBuckets = 4096;
    static constexpr std::size_t kMostColumns = 512;

    /// Adds whole lines, which begin in the file at `at`; the first one of all names the columns.
    /// A line that does not fit the first is counted and passed over. Error: kDamagedFile for a
    /// first line that names no columns or too many.
    Status add(std::string_view lines, std::uint64_t at);

    const std::vector<std::string>& columns() const { return columns_; }
    std::size_t rows() const { return rows_; }
    std::size_t damaged_lines() const { return damaged_; }
    std::size_t rows_per_bucket() const { return rows_per_bucket_; }
    std::size_t memory() const;
    /// The values of the last row; empty while there is none.
    const std::vector<double>& last() const { return last_; }
    /// The least finite value of a column; NaN without one.
    double least(std::size_t column) const { return least_[column]; }
    /// The first line of the file, with which a part of it can be read alone.
    const std::string& head() const { return head_; }
    std::optional<std::size_t> find(std::string_view column) const;

    /// A stretch of buckets.
    struct Range {
        std::size_t first = 0, last = 0;  ///< the last is not part of it
        std::size_t size() const { return last - first; }
    };
    /// The buckets whose values of `column` reach from `from` to `to`, and one more on each side.
    Range range(std::size_t column, std::optional<double> from, std::optional<double> to) const;
    /// Where in the file the rows of that stretch lie.
    struct Bytes {
        std::uint64_t begin = 0, end = 0;
    };
    Bytes bytes_of(Range range) const;
    /// A column over that stretch in at most `points` points.
    Curve curve(std::size_t column, Range range, std::size_t points) const;

  private:
    struct Column {
        std::vector<double> low, high;  ///< empty while a bucket has one row
        std::vector<double> mean;
        std::vector<std::uint32_t> count;  ///< of finite values; empty like low
    };
    void add_row(std::span<const double> values, std::uint64_t at);
    void merge();

    std::string head_;
    std::vector<std::string> columns_;
    std::vector<Column> data_;
    std::vector<std::uint64_t> places_;  ///< of each bucket's first row
    std::uint64_t end_ = 0;
    std::vector<double> last_, least_, row_;
    std::size_t rows_ = 0, damaged_ = 0, rows_per_bucket_ = 1;
};

}  // namespace esper::nissa
