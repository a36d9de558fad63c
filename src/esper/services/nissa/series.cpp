#include "esper/services/nissa/series.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "esper/base/text.h"

namespace esper::nissa {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// An empty cell is nothing, as are `nan` and `inf`. False for what is no number.
bool read_cell(std::string_view cell, double& value) {
    value = kNone;
    if (cell.empty()) return true;
    const auto* end = cell.data() + cell.size();
    if (std::from_chars(cell.data(), end, value).ptr != end) return false;
    if (!std::isfinite(value)) value = kNone;
    return true;
}

/// Some values of which only the extremes and the mean are kept.
struct Summary {
    double low = kNone, high = kNone, sum = 0;
    std::uint32_t count = 0;
    void add(double least, double greatest, double mean, std::uint32_t n) {
        if (n == 0) return;
        low = count == 0 ? least : std::min(low, least);
        high = count == 0 ? greatest : std::max(high, greatest);
        sum += mean * n;
        count += n;
    }
    double mean() const { return count == 0 ? kNone : sum / count; }
};

}  // namespace

bool read_row(std::string_view line, std::span<double> row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
        const auto end = line.find(',');
        const bool is_last = i + 1 == row.size();
        if ((end == std::string_view::npos) != is_last) return false;
        if (!read_cell(line.substr(0, end), row[i])) return false;
        if (!is_last) line.remove_prefix(end + 1);
    }
    return true;
}

std::optional<std::size_t> Series::find(std::string_view column) const {
    const auto it = std::ranges::find(columns_, column);
    if (it == columns_.end()) return std::nullopt;
    return static_cast<std::size_t>(it - columns_.begin());
}

std::size_t Series::memory() const {
    std::size_t bytes = sizeof *this + places_.capacity() * sizeof(std::uint64_t);
    for (const auto& column : data_)
        bytes += (column.low.capacity() + column.high.capacity() + column.mean.capacity()) *
                     sizeof(double) +
                 column.count.capacity() * sizeof(std::uint32_t) + sizeof column;
    return bytes;
}

Status Series::add(std::string_view lines, std::uint64_t at) {
    while (!lines.empty()) {
        const auto end = std::min(lines.find('\n'), lines.size());
        const auto line = lines.substr(0, end);
        if (columns_.empty()) {
            auto columns = split(line, ',');
            if (line.empty() || columns.size() > kMostColumns)
                return fail(NissaError::kDamagedFile,
                            fmt::format("metrics.csv: expected 1 to {} columns in the first line, "
                                        "got {}",
                                        kMostColumns, line.empty() ? 0 : columns.size()));
            head_ = line;
            columns_ = std::move(columns);
            data_.resize(columns_.size());
            row_.resize(columns_.size());
            least_.assign(columns_.size(), kNone);
        } else if (read_row(line, row_)) {
            add_row(row_, at);
        } else {
            ++damaged_;
        }
        const auto used = std::min(end + 1, lines.size());
        lines.remove_prefix(used);
        at += used;
        end_ = at;
    }
    return {};
}

void Series::add_row(std::span<const double> values, std::uint64_t at) {
    const bool begins = rows_ % rows_per_bucket_ == 0;
    if (begins && places_.size() == kMostBuckets) merge();
    const bool is_new = rows_ % rows_per_bucket_ == 0;
    if (is_new) places_.push_back(at);
    for (std::size_t c = 0; c < data_.size(); ++c) {
        auto& column = data_[c];
        const double value = values[c];
        if (std::isfinite(value)) least_[c] = std::fmin(least_[c], value);
        if (rows_per_bucket_ == 1) {
            column.mean.push_back(value);
            continue;
        }
        if (is_new) {
            column.low.push_back(kNone);
            column.high.push_back(kNone);
            column.mean.push_back(kNone);
            column.count.push_back(0);
        }
        if (!std::isfinite(value)) continue;
        Summary all;
        all.add(column.low.back(), column.high.back(), column.mean.back(), column.count.back());
        all.add(value, value, value, 1);
        column.low.back() = all.low;
        column.high.back() = all.high;
        column.mean.back() = all.mean();
        column.count.back() = all.count;
    }
    last_.assign(values.begin(), values.end());
    ++rows_;
}

void Series::merge() {
    const std::size_t half = places_.size() / 2;
    for (auto& column : data_) {
        if (rows_per_bucket_ == 1) {
            column.low = column.high = column.mean;
            column.count.resize(column.mean.size());
            for (std::size_t i = 0; i < column.mean.size(); ++i)
                column.count[i] = std::isfinite(column.mean[i]) ? 1 : 0;
        }
        for (std::size_t i = 0; i < half; ++i) {
            Summary both;
            for (const std::size_t part : {2 * i, 2 * i + 1})
                both.add(column.low[part], column.high[part], column.mean[part],
                         column.count[part]);
            column.low[i] = both.low;
            column.high[i] = both.high;
            column.mean[i] = both.mean();
            column.count[i] = both.count;
        }
        column.low.resize(half);
        column.high.resize(half);
        column.mean.resize(half);
        column.count.resize(half);
    }
    for (std::size_t i = 0; i < half; ++i) places_[i] = places_[2 * i];
    places_.resize(half);
    rows_per_bucket_ *= 2;
}

Series::Range Series::range(std::size_t column, std::optional<double> from,
                            std::optional<double> to) const {
    const auto& data = data_[column];
    const auto& low = data.low.empty() ? data.mean : data.low;
    const auto& high = data.high.empty() ? data.mean : data.high;
    Range range{0, places_.size()};
    if (from)
        while (range.first < range.last && !(high[range.first] >= *from)) ++range.first;
    if (to)
        while (range.last > range.first && !(low[range.last - 1] <= *to)) --range.last;
    if (from && range.first > 0) --range.first;
    if (to && range.last < places_.size()) ++range.last;
    return range;
}

Series::Bytes Series::bytes_of(Range range) const {
    if (range.size() == 0) return {};
    return {places_[range.first], range.last < places_.size() ? places_[range.last] : end_};
}

Curve Series::curve(std::size_t column, Range range, std::size_t points) const {
    const auto& data = data_[column];
    const std::size_t together = (range.size() + points - 1) / std::max<std::size_t>(points, 1);
    Curve curve;
    for (std::size_t at = range.first; at < range.last; at += together) {
        Summary all;
        for (std::size_t i = at; i < std::min(at + together, range.last); ++i) {
            const double mean = data.mean[i];
            const std::uint32_t count =
                data.count.empty() ? (std::isfinite(mean) ? 1 : 0) : data.count[i];
            all.add(data.low.empty() ? mean : data.low[i], data.high.empty() ? mean : data.high[i],
                    mean, count);
        }
        curve.low.push_back(all.low);
        curve.high.push_back(all.high);
        curve.mean.push_back(all.mean());
    }
    return curve;
}

}  // namespace esper::nissa
