#include "esper/services/records/metrics.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/base/text.h"

namespace esper::records {

namespace {

struct Column {
    std::string_view name;
    std::optional<double> MetricsRow::*value;
};
constexpr std::array<Column, 10> kColumns = {
    {{"train_loss", &MetricsRow::train_loss},
     {"val_loss", &MetricsRow::val_loss},
     {"val_accuracy", &MetricsRow::val_accuracy},
     {"learning_rate", &MetricsRow::learning_rate},
     {"parameters", &MetricsRow::parameters},
     {"flops_per_example", &MetricsRow::flops_per_example},
     {"flops_total", &MetricsRow::flops_total},
     {"seconds", &MetricsRow::seconds},
     {"examples_per_second", &MetricsRow::examples_per_second},
     {"resident_bytes", &MetricsRow::resident_bytes}}};

// `nan` and `inf`, which a run may write, are nothing; so is an empty cell.
bool read_number(const std::string& cell, std::optional<double>& out) {
    if (cell.empty()) return true;
    double value = 0;
    const auto* end = cell.data() + cell.size();
    if (std::from_chars(cell.data(), end, value).ptr != end) return false;
    if (std::isfinite(value)) out = value;
    return true;
}

bool read_cell(const std::string& column, const std::string& cell, MetricsRow& row) {
    if (column == "epoch" || column == "step") {
        std::optional<double> value;
        if (!read_number(cell, value) || !value || std::abs(*value) > 9e15) return false;
        (column == "epoch" ? row.epoch : row.step) = static_cast<std::int64_t>(*value);
        return true;
    }
    for (const auto& known : kColumns)
        if (known.name == column) return read_number(cell, row.*known.value);
    return true;
}

}  // namespace

Result<std::vector<MetricsRow>> parse_metrics(std::string_view text) {
    std::vector<MetricsRow> rows;
    auto lines = split(text, '\n');
    lines.pop_back();  // empty, or torn
    if (lines.empty()) return rows;
    const auto columns = split(lines[0], ',');
    for (std::size_t i = 1; i < lines.size(); ++i) {
        const auto cells = split(lines[i], ',');
        if (cells.size() != columns.size())
            return fail(RecordsError::kBadRecord,
                        fmt::format("metrics.csv, line {}: expected {} cells as in the first line, "
                                    "got {}",
                                    i + 1, columns.size(), cells.size()));
        MetricsRow row;
        for (std::size_t c = 0; c < columns.size(); ++c)
            if (!read_cell(columns[c], cells[c], row))
                return fail(RecordsError::kBadRecord,
                            fmt::format("metrics.csv, line {}, column '{}': expected a number, got "
                                        "'{}'",
                                        i + 1, columns[c], cells[c]));
        rows.push_back(row);
    }
    return rows;
}

nlohmann::json to_json(const MetricsRow& row) {
    nlohmann::json object{{"epoch", row.epoch}, {"step", row.step}};
    for (const auto& column : kColumns) {
        const auto& value = row.*column.value;
        object[std::string(column.name)] = value ? nlohmann::json(*value) : nlohmann::json();
    }
    return object;
}

}  // namespace esper::records
