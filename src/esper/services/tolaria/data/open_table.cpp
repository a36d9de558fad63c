#include <fmt/format.h>

#include <algorithm>

#include "esper/services/tolaria/data/csv.h"
#include "esper/services/tolaria/data/data_bytes.h"
#include "esper/services/tolaria/data/table_dataset.h"
#include "esper/services/tolaria/data/table_files.h"
#include "esper/services/tolaria/data/table_targets.h"

namespace esper::tolaria {
namespace {

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
    ESPER_TRY(auto targets, find_labels(table, options.target, options.task));
    const bool labels = !targets.empty();
    if (!labels) {
        const bool as_known = options.like != nullptr && options.target.empty();
        ESPER_TRY(const auto one,
                  find_target(table, as_known ? options.like->info().target_name : options.target));
        targets = {one};
    }
    for (const auto target : targets)
        ESPER_CHECK_STATUS(drop_rows_without_target(table, target, options.skip_corrupt));
    std::vector<TableColumn> columns;
    std::vector<TableColumn> wanted;
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
        auto column = read_column(table.names[c], table.columns[c]);
        if (std::ranges::find(targets, c) != targets.end()) {
            wanted.push_back(std::move(column));
            continue;
        }
        columns.push_back(std::move(column));
    }
    ESPER_TRY(const auto target, labels ? choose_labels(wanted, options.task)
                                        : choose_target(wanted.front(), options.task));
    ESPER_TRY(const auto parts, split_rows(groups_of(target), options.split));
    std::vector<std::string> notes;
    if (options.like != nullptr) {
        ESPER_TRY(columns, options.like->encoder().read(table, notes));
    }
    // A network's encoder leaves those empty that it does not use.
    const auto used = std::ranges::count_if(columns, [](const auto& c) { return c.rows() > 0; });
    const auto categories =
        std::ranges::count_if(columns, [](const auto& c) { return !c.is_numeric(); });
    notes.push_back(fmt::format("{} rows, {}; {} columns of numbers, {} of categories",
                                table.rows(), words_for_layout(table), used - categories,
                                categories));
    for (const auto& name : table.renamed)
        notes.push_back(
            fmt::format("column '{}' is called so here, since its name comes twice; check that "
                        "both are wanted",
                        shown_name(name)));
    for (const auto& [name, why] : table.left_out)
        notes.push_back(
            fmt::format("column '{}' is left out: {}", shown_name(name), shown_name(why)));
    notes.push_back(
        fmt::format("target '{}'{}: {}, because {}", shown_name(target.name),
                    !options.target.empty() || options.like != nullptr ? ""
                    : target.name == table.names.back()
                        ? ", the last column (data.target=NAME names another)"
                        : ", the last column that has values (data.target=NAME names another)",
                    to_text(target.task), target.why));
    if (table.skipped > 0)
        notes.push_back(fmt::format("{} rows were left out (data.corrupt: skip); the first: {}",
                                    table.skipped, table.first_skipped));
    return TableDataset::make(columns, target, parts, sha256, std::move(notes), false, options.like,
                              options.outputs);
}

}  // namespace

Result<std::shared_ptr<const Dataset>> open_table(const TableOptions& options) {
    ESPER_TRY(auto read, read_table(options.path, options.skip_corrupt));
    auto set = open_parsed(std::move(read.table), options, read.sha256);
    if (!set) return fail(set.error().within(options.path.string()));
    return set;
}

}  // namespace esper::tolaria
