#include "esper/services/tolaria/data/table_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "esper/base/text.h"
#include "esper/services/tolaria/data/data_bytes.h"

namespace esper::tolaria {
namespace {

constexpr double kFarthest = 1e6;  // standard deviations
constexpr std::size_t kMostCategories = 64;
constexpr std::size_t kFewRows = 20;
constexpr const char* kMissingName = "(missing)";

bool counts_rows(const TableColumn& column) {
    const auto& n = column.numbers;
    if (n.size() < kFewRows) return false;
    for (std::size_t i = 1; i < n.size(); ++i)
        if (n[i] != n[i - 1] + 1) return false;
    return true;
}

/// Whether it has categories, and each begins as `2026-11-30`, `30.11.2026` or `11/30/2026` does,
/// or is missing.
bool are_dates(const TableColumn& column) {
    const auto is_date = [](std::string_view text) {
        std::string shape(text.substr(0, 10));
        for (char& c : shape)
            if (c >= '0' && c <= '9') c = '0';
        return shape == "0000-00-00" || shape == "00.00.0000" || shape == "00/00/0000" ||
               shape == "0000/00/00";
    };
    return std::ranges::any_of(column.names, is_date) &&
           std::ranges::all_of(column.names, [&](const auto& name) {
               return is_date(name) || name == kMissingName;
           });
}

constexpr const char* kDatesAdvice =
    "give numbers, such as days since a day, where it matters which date is later";

std::string why_left_out(const TableColumn& column) {
    if (column.is_numeric()) return counts_rows(column) ? "it counts the rows" : "";
    const bool differs = column.rows() >= kFewRows && column.names.size() > kMostCategories &&
                         column.names.size() * 2 > column.rows();
    if (!differs) return "";
    return are_dates(column) ? fmt::format("its dates differ from row to row; {}", kDatesAdvice)
                             : "its texts differ from row to row";
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
        column.names.emplace_back(text.empty() ? kMissingName : text);
    }
    column.categories.reserve(cells.size());
    for (const auto cell : cells)
        column.categories.push_back(numbers.at(is_missing(cell) ? "" : cell));
    return column;
}

std::string number_name(double value) { return fmt::format("{}", value); }

bool TableEncoder::fit_numbers(const TableColumn& column, const std::vector<std::uint32_t>& train,
                               Encoding& encoding) {
    double sum = 0;
    double known = 0;
    for (const auto row : train) {
        const double value = column.numbers[row];
        if (std::isnan(value)) continue;
        sum += value;
        ++known;
    }
    if (known == 0) return false;
    encoding.mean = sum / known;
    double squares = 0;
    for (const auto row : train) {
        const double off = column.numbers[row] - encoding.mean;
        if (!std::isnan(off)) squares += off * off;
    }
    const double deviation = std::sqrt(squares / known);
    encoding.says_missing = known < static_cast<double>(train.size());
    const bool varies = deviation > 1e-12 * (1 + std::abs(encoding.mean));
    if (!varies && !encoding.says_missing) return false;
    if (varies) encoding.deviation = deviation;
    if (!std::isfinite(encoding.mean) || !std::isfinite(encoding.deviation)) return false;
    encoding.width = encoding.says_missing ? 2 : 1;
    return true;
}

bool TableEncoder::fit_categories(const TableColumn& column,
                                  const std::vector<std::uint32_t>& train, Encoding& encoding,
                                  std::vector<std::string>& notes) {
    encoding.is_numeric = false;
    std::vector<std::size_t> counts(column.names.size());
    for (const auto row : train) ++counts[column.categories[row]];
    std::vector<std::uint32_t> order;
    for (std::uint32_t i = 0; i < counts.size(); ++i)
        if (counts[i] > 0) order.push_back(i);
    if (order.size() < 2) return false;
    std::ranges::stable_sort(order, [&](auto a, auto b) { return counts[a] > counts[b]; });
    if (order.size() > kMostCategories) {
        notes.push_back(fmt::format("column '{}' has {} categories; the {} most frequent are used",
                                    shown_name(column.name), order.size(), kMostCategories));
        order.resize(kMostCategories);
    }
    if (are_dates(column))
        notes.push_back(fmt::format("column '{}' holds dates, each of which is a category; {}",
                                    shown_name(column.name), kDatesAdvice));
    std::ranges::sort(order);
    encoding.names = column.names;
    encoding.input_of.assign(column.names.size(), -1);
    for (std::size_t i = 0; i < order.size(); ++i)
        encoding.input_of[order[i]] = static_cast<std::int64_t>(i);
    encoding.width = static_cast<std::int64_t>(order.size());
    return true;
}

Result<TableEncoder> TableEncoder::fit(std::span<const TableColumn> columns,
                                       const std::vector<std::uint32_t>& train,
                                       std::vector<std::string>& notes) {
    TableEncoder encoder;
    encoder.columns_ = columns.size();
    const auto leave_out = [&](const TableColumn& column, std::string_view why) {
        notes.push_back(fmt::format("column '{}' is left out: {}", shown_name(column.name), why));
    };
    for (std::size_t c = 0; c < columns.size(); ++c) {
        const auto& column = columns[c];
        if (const auto why = why_left_out(column); !why.empty()) {
            leave_out(column, why);
            continue;
        }
        Encoding encoding;
        encoding.name = column.name;
        encoding.column = c;
        if (!(column.is_numeric() ? fit_numbers(column, train, encoding)
                                  : fit_categories(column, train, encoding, notes))) {
            leave_out(column, "it has one value in the training part");
            continue;
        }
        encoder.features_ += encoding.width;
        encoder.encodings_.push_back(std::move(encoding));
    }
    if (encoder.encodings_.empty())
        return fail(DataError::kTooSmall, "no column is left to learn from: " + join(notes, "; "));
    return encoder;
}

void TableEncoder::encode(std::span<const TableColumn> columns, std::span<const std::uint32_t> rows,
                          float* out) const {
    for (const auto row : rows)
        for (const auto& e : encodings_) {
            const auto& column = columns[e.column];
            if (e.is_numeric) {
                const double value = column.numbers[row];
                const bool missing = std::isnan(value);
                const double off =
                    std::clamp((value - e.mean) / e.deviation, -kFarthest, kFarthest);
                out[0] = missing ? 0.0F : static_cast<float>(off);
                if (e.says_missing) out[1] = missing ? 1.0F : 0.0F;
            } else if (const auto category = column.categories[row];
                       category < e.input_of.size() && e.input_of[category] >= 0) {
                out[e.input_of[category]] = 1.0F;
            }
            out += e.width;
        }
}

Result<TableColumn> TableEncoder::read_numbers(const Encoding& encoding, const CsvTable& table,
                                               std::span<const std::string_view> cells) {
    TableColumn column;
    for (std::size_t row = 0; row < cells.size(); ++row) {
        double value = std::numeric_limits<double>::quiet_NaN();
        if (!parse_number(cells[row], value) && !is_missing(cells[row]))
            return fail(
                DataError::kCorrupt,
                fmt::format("{}, column '{}': expected a number, as in the data that "
                            "the network learnt from, got '{}'",
                            table.place(row), shown_name(encoding.name), shown_name(cells[row])));
        if (std::abs(value - encoding.mean) / encoding.deviation > kFarthest)
            return fail(
                DataError::kCorrupt,
                fmt::format("{}, column '{}': '{}' lies more than a million standard "
                            "deviations from what the network learnt from",
                            table.place(row), shown_name(encoding.name), shown_name(cells[row])));
        column.numbers.push_back(value);
    }
    return column;
}

TableColumn TableEncoder::read_categories(const Encoding& encoding,
                                          std::span<const std::string_view> cells,
                                          std::vector<std::string>& notes) {
    TableColumn column;
    column.names = encoding.names;
    std::map<std::string_view, std::uint32_t> numbers;
    for (std::uint32_t i = 0; i < encoding.names.size(); ++i) numbers.emplace(encoding.names[i], i);
    const auto none = static_cast<std::uint32_t>(encoding.names.size());
    std::size_t unknown = 0;
    std::string_view first;
    for (const auto cell : cells) {
        const auto found = numbers.find(is_missing(cell) ? kMissingName : cell);
        column.categories.push_back(found == numbers.end() ? none : found->second);
        if (found == numbers.end() && unknown++ == 0)
            first = is_missing(cell) ? kMissingName : cell;
    }
    if (unknown > 0)
        notes.push_back(fmt::format(
            "column '{}': {} rows have a category that the network has not learnt, the first "
            "'{}'; it counts as none of those that it has",
            shown_name(encoding.name), unknown, shown_name(first)));
    return column;
}

Result<std::vector<TableColumn>> TableEncoder::read(const CsvTable& table,
                                                    std::vector<std::string>& notes) const {
    std::vector<std::string> missing;
    for (const auto& e : encodings_)
        if (std::ranges::find(table.names, e.name) == table.names.end())
            missing.push_back("'" + shown_name(e.name) + "'");
    if (!missing.empty())
        return fail(DataError::kCorrupt,
                    fmt::format("it lacks the column{} {}, from which the network predicts; it has "
                                "{}{}",
                                missing.size() == 1 ? "" : "s", join(missing, ", "),
                                shown_name(join(table.names, ", ")),
                                table.has_header ? "" : " (its first line holds no names)"));
    std::vector<TableColumn> columns(columns_);
    for (const auto& e : encodings_) {
        const auto at = std::ranges::find(table.names, e.name) - table.names.begin();
        const auto& cells = table.columns[static_cast<std::size_t>(at)];
        if (e.is_numeric) {
            ESPER_TRY(columns[e.column], read_numbers(e, table, cells));
        } else {
            columns[e.column] = read_categories(e, cells, notes);
        }
    }
    return columns;
}

Result<TableInputs> encode_columns(std::span<const TableColumn> columns, const PartRows& parts,
                                   const TableEncoder* known) {
    TableInputs inputs;
    if (known != nullptr) {
        inputs.encoder = *known;
    } else {
        ESPER_TRY(inputs.encoder, TableEncoder::fit(columns, parts[0], inputs.notes));
    }
    const auto features = static_cast<std::size_t>(inputs.encoder.features());
    std::uint64_t rows = 0;
    for (const auto& part : parts) rows += part.size();
    ESPER_CHECK_STATUS(check_memory(rows * features * 4,
                                    fmt::format("the table's {} rows of {} inputs", rows, features),
                                    "leave out columns or rows"));
    std::int64_t far = 0;
    for (std::size_t p = 0; p < kPartCount; ++p) {
        inputs.parts[p].resize(parts[p].size() * features);
        inputs.encoder.encode(columns, parts[p], inputs.parts[p].data());
        far += std::ranges::count_if(
            inputs.parts[p], [](float x) { return std::abs(x) >= static_cast<float>(kFarthest); });
    }
    if (far > 0)
        inputs.notes.push_back(fmt::format(
            "{} numbers lie more than a million standard deviations from their column's mean, and "
            "count as that far; look for typing errors",
            far));
    return inputs;
}

}  // namespace esper::tolaria
