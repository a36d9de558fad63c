#include "esper/services/tolaria/data/table_targets.h"

#include <fmt/format.h>

#include <algorithm>

#include "esper/base/text.h"
#include "esper/services/tolaria/data/data_bytes.h"

namespace esper::tolaria {

Result<std::size_t> find_target(const CsvTable& table, const std::string& name) {
    if (name.empty()) {
        // A comma at the end of each line makes a last column that says nothing.
        for (std::size_t c = table.names.size(); c-- > 0;)
            if (!std::ranges::all_of(table.columns[c], is_missing)) return c;
        return table.names.size() - 1;
    }
    const auto found = std::ranges::find(table.names, name);
    if (found != table.names.end()) return static_cast<std::size_t>(found - table.names.begin());
    return fail(DataError::kBadOption,
                fmt::format("data.target: no column is named {}; there are: {}{}",
                            quote_with_suggestion(name, table.names),
                            shown_name(join(table.names, ", ")), table.words_of_left_out()));
}

Result<std::vector<std::size_t>> find_labels(const CsvTable& table, const std::string& name,
                                             std::optional<Task> task) {
    const bool is_list = name.find_first_of(",*?") != std::string::npos;
    const bool is_wanted = task == Task::kMultiLabel;
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

}  // namespace esper::tolaria
