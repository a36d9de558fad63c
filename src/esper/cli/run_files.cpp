#include "esper/cli/run_files.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/base/text.h"
#include "esper/cli/run_state.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::cli {

using nlohmann::json;

namespace {

std::string text_or_empty(const std::filesystem::path& path) {
    auto text = read_file(path);
    return text ? *text : std::string();
}

}  // namespace

Result<json> read_run_json(const std::filesystem::path& folder) {
    ESPER_CHECK_STATUS(check_run_folder(folder));
    ESPER_TRY(const auto text, read_file(folder / "run.json"));
    auto run = json::parse(text, nullptr, false);
    if (!run.is_object())
        return fail(tolaria::TolariaError::kBadRunFolder,
                    (folder / "run.json").string() + " is not a JSON object");
    return run;
}

json read_events(const std::filesystem::path& folder) {
    json events = json::array();
    for (const auto& line : split(text_or_empty(folder / "events.jsonl"), '\n')) {
        auto event = json::parse(line, nullptr, false);
        if (event.is_object()) events.push_back(std::move(event));
    }
    return events;
}

json read_metrics(const std::filesystem::path& folder) {
    json rows = json::array();
    std::vector<std::string> columns;
    for (const auto& line : split(text_or_empty(folder / "metrics.csv"), '\n')) {
        if (line.empty()) continue;
        const auto cells = split(line, ',');
        if (columns.empty()) {
            columns = cells;
            continue;
        }
        json row = json::object();
        for (std::size_t i = 0; i < cells.size() && i < columns.size(); ++i) {
            double value = 0;
            const auto* end = cells[i].data() + cells[i].size();
            const bool whole = std::from_chars(cells[i].data(), end, value).ptr == end;
            row[columns[i]] = whole && !cells[i].empty() ? json(value) : json();
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

}  // namespace esper::cli
