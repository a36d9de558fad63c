#include "esper/cli/sweep_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/base/own_file.h"
#include "esper/base/text.h"
#include "esper/cli/figures.h"
#include "esper/cli/print.h"
#include "esper/cli/table.h"
#include "esper/services/nissa/run.h"
#include "esper/services/records/printable_text.h"

namespace esper::cli {

namespace fs = std::filesystem;
using nlohmann::json;
using records::printable;

namespace {

json settings_json(const Combination& combination) {
    json settings = json::object();
    for (const auto& [path, value] : combination.settings) settings[path] = value;
    return settings;
}

}  // namespace

/// A combination and what its finished runs came to.
struct SweepResults::Row {
    const Combination* combination = nullptr;
    SeedGroup runs;
    double loss = std::nan("");  ///< the mean of their best validation losses
};

bool is_begun(const fs::path& folder) { return nissa::look_at(folder / "run.json").is_there; }

void SweepResults::say_begin(int jobs) const {
    if (json_)
        print_json_line({{"event", "sweep"},
                         {"folder", folder_.string()},
                         {"combinations", plan_.combinations.size()},
                         {"seeds", plan_.seeds},
                         {"runs", runs_.size()},
                         {"jobs", jobs},
                         {"threads", plan_.threads}});
    std::fprintf(stderr,
                 "%zu runs: %zu combinations, %zu seed%s each; %d at a time, %d thread%s "
                 "each; in %s\n",
                 runs_.size(), plan_.combinations.size(), plan_.seeds.size(),
                 plan_.seeds.size() == 1 ? "" : "s", jobs, plan_.threads,
                 plan_.threads == 1 ? "" : "s", folder_.c_str());
}

void SweepResults::say_started(std::size_t number) const {
    if (!json_) return;
    const auto& run = runs_[number];
    print_json_line(
        {{"event", "run_started"}, {"run", run.name}, {"resumed", is_begun(folder_ / run.name)}});
}

bool SweepResults::take_if_done(std::size_t number) {
    const auto folder = folder_ / runs_[number].name;
    if (!is_begun(folder)) return false;
    nissa::Run run(runs_[number].name, folder);
    auto listed = look_at_run(run, runs_[number].name);
    if (listed.row["state"] != "done") return false;
    done_.emplace(number, std::move(listed));
    say(number, 0, "");
    return true;
}

void SweepResults::take(std::size_t number, int exit_code) {
    if (exit_code == 0 && take_if_done(number)) return;
    failed_runs_.insert(number);
    if (failed_ == 0) failed_ = exit_code == 0 ? 1 : exit_code;
    say(number, exit_code, last_line_of_log(runs_[number].name));
}

std::string SweepResults::last_line_of_log(const std::string& run) const {
    const auto text = read_own_file(folder_ / (run + ".log"));
    if (!text) return "";
    std::string last;
    for (const auto& line : split(*text, '\n'))
        if (!line.empty()) last = line;
    return last;
}

void SweepResults::say(std::size_t number, int exit_code, const std::string& problem) const {
    const auto& run = runs_[number];
    const auto& combination = plan_.combinations[run.combination];
    const auto found = done_.find(number);
    if (json_) {
        json line = found == done_.end() ? json::object() : found->second.row;
        line["event"] = "run";
        line["run"] = run.name;
        line["combination"] = combination.name;
        line["settings"] = settings_json(combination);
        line["seed"] = run.seed;
        line["exit_code"] = exit_code;
        if (!problem.empty()) line["problem"] = problem;
        print_json_line(line);
    }
    const auto result =
        found == done_.end()
            ? fmt::format("not done (exit code {}): {}", exit_code, printable(problem))
            : fmt::format("best val loss {}, {}", validation_cell(found->second.row),
                          seconds_cell(found->second.row));
    std::fprintf(stderr, "%s  %s seed %llu: %s\n", run.name.c_str(),
                 printable(combination.in_words()).c_str(),
                 static_cast<unsigned long long>(run.seed), result.c_str());
}

// By their mean; a combination that came to nothing is last.
std::vector<SweepResults::Row> SweepResults::rows() const {
    std::vector<Row> rows;
    for (const auto& combination : plan_.combinations) rows.push_back({&combination, {}});
    for (const auto& [number, run] : done_) rows[runs_[number].combination].runs.push_back(&run);
    for (auto& row : rows)
        if (const auto losses = values_of(row.runs, kFigures[0]); !losses.empty())
            row.loss = records::estimate_mean(losses).mean;
    std::ranges::stable_sort(rows, [](const Row& a, const Row& b) {
        if (std::isnan(a.loss) || std::isnan(b.loss)) return !std::isnan(a.loss);
        return a.loss < b.loss;
    });
    return rows;
}

Status SweepResults::write_best(const Row& best) const {
    const auto file = folder_ / "best.yaml";
    const auto head = fmt::format(
        "# The best of {} combinations of the sweep in {}, by the mean of the best validation\n"
        "# losses over {} seed{}: {}, {}\n",
        plan_.combinations.size(), printable(folder_.string()), best.runs.size(),
        best.runs.size() == 1 ? "" : "s",
        with_interval(records::estimate_mean(values_of(best.runs, kFigures[0])), kFigures[0]),
        printable(best.combination->in_words()));
    ESPER_CHECK_STATUS(write_file_atomic(file, head + best.combination->yaml));
    if (json_)
        print_json_line({{"event", "best"},
                         {"combination", best.combination->name},
                         {"settings", settings_json(*best.combination)},
                         {"file", file.string()}});
    else
        std::printf("\nbest by validation loss: %s, written to %s\n",
                    printable(best.combination->in_words()).c_str(), file.c_str());
    return {};
}

Status SweepResults::end() const {
    const auto all = rows();
    Table table;
    using enum Table::Align;
    table.column("", kLeft);
    const auto& settings = plan_.combinations.front().settings;
    for (const auto& [path, value] : settings) table.column(printable(path), kLeft);
    table.column("done");
    for (const auto& figure : kFigures) table.column(figure.name);
    table.column("parameters").column("FLOPs");
    for (const auto& row : all) {
        std::vector<std::string> cells{row.combination->name};
        for (std::size_t k = 0; k < settings.size(); ++k)
            cells.push_back(printable(row.combination->settings[k].second));
        cells.push_back(fmt::format("{}/{}", row.runs.size(), plan_.seeds.size()));
        for (const auto& figure : kFigures)
            cells.push_back(
                with_interval(records::estimate_mean(values_of(row.runs, figure)), figure));
        for (const auto* key : {"parameters", "flops_total"}) {
            const auto values = values_of(row.runs, {key, key});
            cells.push_back(values.empty() ? "-"
                                           : human_count(records::estimate_mean(values).mean));
        }
        table.row(std::move(cells));
        if (json_)
            print_json_line({{"event", "combination"},
                             {"combination", row.combination->name},
                             {"settings", settings_json(*row.combination)},
                             {"done", row.runs.size()},
                             {"figures", figures_json(row.runs)}});
    }
    if (!json_) std::printf("%s", table.text().c_str());
    if (!json_ && plan_.seeds.size() > 1) std::printf("mean ± 95 %% interval over the seeds\n");
    return std::isnan(all.front().loss) ? Status{} : write_best(all.front());
}

}  // namespace esper::cli
