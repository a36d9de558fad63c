#include <fmt/format.h>

#include <algorithm>

#include "esper/base/hash.h"
#include "esper/base/text.h"
#include "esper/services/tolaria/data/csv.h"
#include "esper/services/tolaria/data/data_bytes.h"
#include "esper/services/tolaria/data/table_dataset.h"
#include "esper/services/tolaria/data/table_files.h"

namespace esper::tolaria {
namespace {

Result<std::size_t> find_target(const CsvTable& table, const std::string& name) {
    if (name.empty()) return table.names.size() - 1;
    const auto found = std::ranges::find(table.names, name);
    if (found != table.names.end()) return static_cast<std::size_t>(found - table.names.begin());
    return fail(DataError::kBadOption,
                fmt::format("data.target: no column is named {}; there are: {}{}",
                            quote_with_suggestion(name, table.names),
                            shown_name(join(table.names, ", ")), table.words_of_left_out()));
}

// The columns of several labels; empty where the target is one column.
Result<std::vector<std::size_t>> find_labels(const CsvTable& table, const TableOptions& options) {
    const auto& name = options.target;
    const bool is_list = name.find_first_of(",*?") != std::string::npos;
    const bool is_wanted = options.task == Task::kMultiLabel;
    if ((!is_list && !is_wanted) ||
        (!is_wanted && std::ranges::find(table.names, name) != table.names.end()))
        return std::vector<std::size_t>{};
    if (name.empty())
        return fail(DataError::kBadOption,
                    "data.task is multi_label: name the columns of the labels, "
                    "data.target=a,b or data.target=tag_*");
    std::vector<std::size_t> found;
    for (const auto& pattern : split(name, ',')) {
        const auto before = found.size();
        for (std::size_t c = 0; c < table.names.size(); ++c) {
            const bool fits = table.names[c] == pattern || glob_match(pattern, table.names[c]);
            if (fits && std::ranges::find(found, c) == found.end()) found.push_back(c);
        }
        if (found.size() == before)
            return fail(DataError::kBadOption,
                        fmt::format("data.target: no further column is named {}; there are: {}",
                                    quote_with_suggestion(pattern, table.names),
                                    shown_name(join(table.names, ", "))));
    }
    if (found.size() >= table.names.size())
        return fail(DataError::kBadOption,
                    "data.target names all columns; some must be left to predict them from");
    return found;
}

// A row whose target is missing teaches nothing.
Status drop_rows_without_target(CsvTable& table, std::size_t target, bool skip) {
    const auto& cells = table.columns[target];
    const auto first = std::ranges::find_if(cells, is_missing);
    if (first == cells.end()) return {};
    const auto place = table.place(static_cast<std::size_t>(first - cells.begin()));
    const auto what =
        fmt::format("{} has no value for the target '{}'", place, shown_name(table.names[target]));
    if (!skip)
        return fail(DataError::kCorrupt,
                    what +
                        "; leave such rows out with data.corrupt=skip, or name another column "
                        "with data.target=NAME");
    if (table.skipped == 0) table.first_skipped = what;
    std::vector<std::size_t> kept;
    for (std::size_t row = 0; row < cells.size(); ++row)
        if (!is_missing(cells[row])) kept.push_back(row);
    table.skipped += cells.size() - kept.size();
    for (auto& [name, end] : table.files)
        end = static_cast<std::size_t>(std::ranges::lower_bound(kept, end) - kept.begin());
    const auto keep = [&](auto& list) {
        for (std::size_t i = 0; i < kept.size(); ++i) list[i] = list[kept[i]];
        list.resize(kept.size());
    };
    for (auto& column : table.columns) keep(column);
    keep(table.lines);
    return {};
}

std::string words_for_layout(const CsvTable& table) {
    const auto files = table.files.empty() ? "" : fmt::format(" in {} files", table.files.size());
    if (table.format == TableFormat::kParquet) return "Parquet" + files;
    return fmt::format("{} between cells{}, {}",
                       table.delimiter == '\t' ? "a tab" : fmt::format("'{}'", table.delimiter),
                       files,
                       table.has_header ? "names in the first line" : "no names in the first line");
}

Result<std::shared_ptr<const Dataset>> open_parsed(CsvTable table, const TableOptions& options,
                                                   std::string_view sha256) {
    ESPER_TRY(auto targets, find_labels(table, options));
    const bool labels = !targets.empty();
    if (!labels) {
        ESPER_TRY(const auto one, find_target(table, options.target));
        targets = {one};
    }
    for (const auto target : targets)
        ESPER_CHECK_STATUS(drop_rows_without_target(table, target, options.skip_corrupt));
    std::vector<TableColumn> columns;
    std::vector<TableColumn> wanted;
    std::size_t numeric = 0;
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
        auto column = read_column(table.names[c], table.columns[c]);
        if (std::ranges::find(targets, c) != targets.end()) {
            wanted.push_back(std::move(column));
            continue;
        }
        numeric += column.is_numeric() ? 1 : 0;
        columns.push_back(std::move(column));
    }
    ESPER_TRY(const auto target, labels ? choose_labels(wanted, options.task)
                                        : choose_target(wanted.front(), options.task));
    ESPER_TRY(const auto parts, split_rows(groups_of(target), options.split));
    std::vector<std::string> notes;
    notes.push_back(fmt::format("{} rows, {}; {} columns of numbers, {} of categories",
                                table.rows(), words_for_layout(table), numeric,
                                columns.size() - numeric));
    for (const auto& [name, why] : table.left_out)
        notes.push_back(
            fmt::format("column '{}' is left out: {}", shown_name(name), shown_name(why)));
    notes.push_back(fmt::format(
        "target '{}'{}: {}, because {}", shown_name(target.name),
        options.target.empty() ? ", the last column (data.target=NAME names another)" : "",
        to_text(target.task), target.why));
    if (table.skipped > 0)
        notes.push_back(fmt::format("{} rows were left out (data.corrupt: skip); the first: {}",
                                    table.skipped, table.first_skipped));
    return TableDataset::make(columns, target, parts, sha256, std::move(notes));
}

}  // namespace

Result<std::shared_ptr<const Dataset>> open_table(const TableOptions& options) {
    ESPER_TRY(auto read, read_table(options.path, options.skip_corrupt));
    auto set = open_parsed(std::move(read.table), options, read.sha256);
    if (!set) return fail(set.error().within(options.path.string()));
    return set;
}

}  // namespace esper::tolaria
