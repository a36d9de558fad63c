#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/base/text.h"
#include "esper/cli/commands.h"
#include "esper/cli/report_page.h"
#include "esper/cli/run_state.h"

namespace esper::cli {

namespace {

using nlohmann::json;

json read_metrics(const std::string& csv) {
    json rows = json::array();
    std::vector<std::string> columns;
    for (const auto& line : split(csv, '\n')) {
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

// A torn last line is what a crash may leave; it is passed over.
json read_events(const std::string& lines) {
    json events = json::array();
    for (const auto& line : split(lines, '\n')) {
        auto event = json::parse(line, nullptr, false);
        if (event.is_object()) events.push_back(std::move(event));
    }
    return events;
}

json topology_of(const graph::Program& program,
                 const std::map<std::string, std::string>& blueprints) {
    json anchors = json::array();
    for (const auto& anchor : program.anchors()) anchors.push_back(anchor.name);
    json seeds = json::array();
    for (const auto& seed : graph::seeds_in(program)) {
        const auto it = blueprints.find(seed.seed);
        seeds.push_back({{"seed", seed.seed},
                         {"anchor", seed.anchor},
                         {"mode", graph::seed_mode_name(seed.mode)},
                         {"blueprint", it == blueprints.end() ? "" : it->second}});
    }
    return {{"anchors", anchors}, {"seeds", seeds}, {"parameters", program.parameter_count()}};
}

Result<json> topologies(const std::filesystem::path& folder) {
    ESPER_TRY(const auto journal, load_journal(folder));
    json all = json::array();
    graph::ProgramPtr program;
    std::map<std::string, std::string> blueprints;
    for (const auto& entry : journal) {
        if (entry.initial) {
            program = entry.initial;
        } else {
            if (const auto* insert = std::get_if<graph::InsertSeed>(&*entry.edit))
                blueprints[insert->seed] = insert->blueprint_name;
            ESPER_TRY(program, graph::apply(*program, *entry.edit));
        }
        auto item = topology_of(*program, blueprints);
        item["step"] = entry.step;
        item["reason"] = entry.reason;
        all.push_back(std::move(item));
    }
    if (all.empty()) {
        ESPER_TRY(const auto run, load_run(folder, "last"));
        auto item = topology_of(*run.program, {});
        item["step"] = run.step;
        item["reason"] = "The network did not change in this run.";
        all.push_back(std::move(item));
    }
    return all;
}

std::string text_or_empty(const std::filesystem::path& path) {
    auto text = read_file(path);
    return text ? *text : std::string();
}

Status write_report(const std::filesystem::path& folder, const std::string& out) {
    ESPER_CHECK_STATUS(check_run_folder(folder));
    ESPER_TRY(const auto run_text, read_file(folder / "run.json"));
    const auto run = json::parse(run_text, nullptr, false);
    if (!run.is_object())
        return fail(FileError::kNotEnvelope, (folder / "run.json").string() + " is no JSON object");
    ESPER_TRY(auto topology, topologies(folder));
    const auto metrics = read_metrics(text_or_empty(folder / "metrics.csv"));
    double steps_per_epoch = 0;
    if (!metrics.empty() && metrics[0].value("epoch", 0.0) > 0)
        steps_per_epoch = metrics[0].value("step", 0.0) / metrics[0].value("epoch", 1.0);
    const json data{{"run", run},
                    {"metrics", metrics},
                    {"steps_per_epoch", steps_per_epoch},
                    {"events", read_events(text_or_empty(folder / "events.jsonl"))},
                    {"topology", topology}};
    const auto path = out.empty() ? folder / "report.html" : std::filesystem::path(out);
    const auto replace = json::error_handler_t::replace;
    ESPER_CHECK_STATUS(write_file_atomic(path, report_page("Esper: " + run.value("name", "run"),
                                                           data.dump(-1, ' ', false, replace))));
    std::printf("%s\n", path.c_str());
    return {};
}

}  // namespace

void add_report(CLI::App& app, int& exit_code) {
    auto folder = std::make_shared<std::string>();
    auto out = std::make_shared<std::string>();
    auto* command = app.add_subcommand("report", "one self-contained HTML file about a run");
    command->add_option("folder", *folder, "the run's folder")->required();
    command->add_option("-o,--out", *out, "the file (default: report.html in the run's folder)");
    command->callback([folder, out, &exit_code] {
        auto done = write_report(*folder, *out);
        exit_code = done ? 0 : report_error(done.error());
    });
}

}  // namespace esper::cli
