#include "esper/services/tolaria/data/table_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <optional>

#include "esper/base/text.h"
#include "esper/services/tolaria/data/csv.h"
#include "esper/services/tolaria/data/data_bytes.h"

namespace esper::tolaria {
namespace {

constexpr std::size_t kMostCategories = 64;
constexpr std::size_t kFewRows = 20;

/// How one column becomes inputs.
struct Encoding {
    const TableColumn* column = nullptr;
    double mean = 0;
    double deviation = 1;
    bool says_missing = false;
    /// Of each category of the column the input that stands for it; -1: none does.
    std::vector<std::int64_t> input_of;
    std::int64_t width = 1;
};

bool counts_rows(const TableColumn& column) {
    const auto& n = column.numbers;
    if (n.size() < kFewRows) return false;
    for (std::size_t i = 1; i < n.size(); ++i)
        if (n[i] != n[i - 1] + 1) return false;
    return true;
}

std::optional<Encoding> encode_numbers(const TableColumn& column,
                                       const std::vector<std::uint32_t>& train) {
    Encoding encoding;
    encoding.column = &column;
    double sum = 0;
    double known = 0;
    for (const auto row : train) {
        const double value = column.numbers[row];
        if (std::isnan(value)) continue;
        sum += value;
        ++known;
    }
    if (known == 0) return std::nullopt;
    encoding.mean = sum / known;
    double squares = 0;
    for (const auto row : train) {
        const double off = column.numbers[row] - encoding.mean;
        if (!std::isnan(off)) squares += off * off;
    }
    const double deviation = std::sqrt(squares / known);
    encoding.says_missing = known < static_cast<double>(train.size());
    const bool varies = deviation > 1e-12 * (1 + std::abs(encoding.mean));
    if (!varies && !encoding.says_missing) return std::nullopt;
    if (varies) encoding.deviation = deviation;
    if (!std::isfinite(encoding.mean) || !std::isfinite(encoding.deviation)) return std::nullopt;
    encoding.width = encoding.says_missing ? 2 : 1;
    return encoding;
}

std::optional<Encoding> encode_categories(const TableColumn& column,
                                          const std::vector<std::uint32_t>& train,
                                          std::string& note) {
    std::vector<std::size_t> counts(column.names.size());
    for (const auto row : train) ++counts[column.categories[row]];
    std::vector<std::uint32_t> order;
    for (std::uint32_t i = 0; i < counts.size(); ++i)
        if (counts[i] > 0) order.push_back(i);
    if (order.size() < 2) return std::nullopt;
    std::ranges::stable_sort(order, [&](auto a, auto b) { return counts[a] > counts[b]; });
    if (order.size() > kMostCategories) {
        note = fmt::format("column '{}' has {} categories; the {} most frequent are used",
                           shown_name(column.name), order.size(), kMostCategories);
        order.resize(kMostCategories);
    }
    std::ranges::sort(order);
    Encoding encoding;
    encoding.column = &column;
    encoding.input_of.assign(column.names.size(), -1);
    for (std::size_t i = 0; i < order.size(); ++i)
        encoding.input_of[order[i]] = static_cast<std::int64_t>(i);
    encoding.width = static_cast<std::int64_t>(order.size());
    return encoding;
}

std::string why_left_out(const TableColumn& column) {
    if (column.is_numeric()) return counts_rows(column) ? "it counts the rows" : "";
    const bool differs = column.rows() >= kFewRows && column.names.size() > kMostCategories &&
                         column.names.size() * 2 > column.rows();
    return differs ? "its texts differ from row to row" : "";
}

void write_row(const std::vector<Encoding>& encodings, std::uint32_t row, float* out) {
    for (const auto& e : encodings) {
        if (e.column->is_numeric()) {
            const double value = e.column->numbers[row];
            const bool missing = std::isnan(value);
            out[0] = missing ? 0.0F : static_cast<float>((value - e.mean) / e.deviation);
            if (e.says_missing) out[1] = missing ? 1.0F : 0.0F;
        } else {
            const auto input = e.input_of[e.column->categories[row]];
            if (input >= 0) out[input] = 1.0F;
        }
        out += e.width;
    }
}

}  // namespace

TableColumn read_column(std::string name, std::span<const std::string_view> cells) {
    TableColumn column;
    column.name = std::move(name);
    column.numbers.reserve(cells.size());
    bool has_number = false;
    for (const auto cell : cells) {
        double value = std::numeric_limits<double>::quiet_NaN();
        if (parse_number(cell, value)) {
            has_number = true;
        } else if (!is_missing(cell)) {
            has_number = false;
            break;
        }
        column.numbers.push_back(value);
    }
    if (has_number && column.numbers.size() == cells.size()) return column;
    column.numbers.clear();
    std::map<std::string_view, std::uint32_t> numbers;
    for (const auto cell : cells) numbers.emplace(is_missing(cell) ? "" : cell, 0);
    for (auto& [text, number] : numbers) {
        number = static_cast<std::uint32_t>(column.names.size());
        column.names.emplace_back(text.empty() ? "(missing)" : text);
    }
    column.categories.reserve(cells.size());
    for (const auto cell : cells)
        column.categories.push_back(numbers.at(is_missing(cell) ? "" : cell));
    return column;
}

std::string number_name(double value) { return fmt::format("{}", value); }

Result<TableInputs> encode_columns(std::span<const TableColumn> columns, const PartRows& parts) {
    TableInputs inputs;
    std::vector<Encoding> encodings;
    const auto leave_out = [&](const TableColumn& column, std::string_view why) {
        inputs.notes.push_back(
            fmt::format("column '{}' is left out: {}", shown_name(column.name), why));
    };
    for (const auto& column : columns) {
        if (const auto why = why_left_out(column); !why.empty()) {
            leave_out(column, why);
            continue;
        }
        std::string note;
        auto encoding = column.is_numeric() ? encode_numbers(column, parts[0])
                                            : encode_categories(column, parts[0], note);
        if (!encoding) {
            leave_out(column, "it has one value in the training part");
            continue;
        }
        if (!note.empty()) inputs.notes.push_back(note);
        inputs.features += encoding->width;
        encodings.push_back(std::move(*encoding));
    }
    if (encodings.empty())
        return fail(DataError::kTooSmall,
                    "no column is left to learn from: " + join(inputs.notes, "; "));
    std::uint64_t rows = 0;
    for (const auto& part : parts) rows += part.size();
    ESPER_CHECK_STATUS(
        check_memory(rows * static_cast<std::uint64_t>(inputs.features) * 4,
                     fmt::format("the table's {} rows of {} inputs", rows, inputs.features),
                     "leave out columns or rows"));
    for (std::size_t p = 0; p < kPartCount; ++p) {
        const auto features = static_cast<std::size_t>(inputs.features);
        inputs.parts[p].resize(parts[p].size() * features);
        for (std::size_t i = 0; i < parts[p].size(); ++i)
            write_row(encodings, parts[p][i], inputs.parts[p].data() + i * features);
    }
    return inputs;
}

}  // namespace esper::tolaria
