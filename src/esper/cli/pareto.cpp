#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/base/text.h"
#include "esper/cli/commands.h"
#include "esper/cli/output_file.h"
#include "esper/cli/run_config.h"
#include "esper/cli/run_state.h"
#include "esper/cli/screen.h"
#include "esper/services/records/fields.h"
#include "esper/services/records/pareto_page.h"
#include "esper/services/records/run_files.h"
#include "esper/services/tolaria/data/batch_plan.h"
#include "esper/services/tolaria/learn/batches.h"
#include "esper/services/tolaria/learn/engine.h"

namespace esper::cli {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using records::ParetoPoint;

struct Arguments {
    std::vector<std::string> folders;
    std::string out;
    bool json = false;
};

/// A finished network, ready to be timed.
struct Entry {
    fs::path folder;
    std::string trunk;
    json run;
    configs::EsperConfig config;
    RunState state;
    std::unique_ptr<tolaria::Engine> engine;
    std::vector<double> seconds;  ///< of each timed pass
};

bool is_run(const fs::path& folder) {
    std::error_code ignored;
    return fs::exists(folder / "run.json", ignored);
}

/// The run itself and what it was finished at; `trunk` names it for all of them if there is any.
std::vector<std::pair<fs::path, std::string>> with_finished(const fs::path& run) {
    std::vector<fs::path> finished;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(run / "finish", ignored))
        if (!entry.is_symlink(ignored) && is_run(entry.path())) finished.push_back(entry.path());
    std::ranges::sort(finished);
    std::vector<std::pair<fs::path, std::string>> found{
        {run, finished.empty() ? "" : run.string()}};
    for (const auto& folder : finished) found.emplace_back(folder, run.string());
    return found;
}

Result<Entry> open_entry(const fs::path& folder, const std::string& trunk) {
    Entry entry;
    entry.folder = folder;
    entry.trunk = trunk;
    ESPER_TRY(entry.run, records::read_run_json(folder));
    ESPER_TRY(entry.config, load_run_config(folder, {}));
    ESPER_TRY(entry.state, load_run(folder, ""));
    entry.engine = std::make_unique<tolaria::Engine>(
        entry.config.run.precision == configs::Precision::kBf16 ? graph::Precision::kBFloat16
                                                                : graph::Precision::kFloat32,
        0.0);
    return entry;
}

Result<std::vector<Entry>> open_entries(const Arguments& a) {
    std::vector<Entry> entries;
    for (const auto& name : a.folders)
        for (const auto& [folder, trunk] : with_finished(name)) {
            ESPER_TRY(const auto run, records::read_run_json(folder));
            if (records::text_of(run, "status") != "done") {
                std::fprintf(stderr, "esper: %s is left out: it is not done\n", folder.c_str());
                continue;
            }
            ESPER_TRY(auto entry, open_entry(folder, trunk));
            entries.push_back(std::move(entry));
        }
    if (entries.empty())
        return fail(tolaria::TolariaError::kUnsupported,
                    "none of the runs is done; there is nothing to compare");
    for (const auto& entry : entries)
        if (entry.state.head.data_fingerprint != entries.front().state.head.data_fingerprint)
            return fail(tolaria::TolariaError::kChangedRun,
                        fmt::format("{} and {} were trained on different data, so their losses "
                                    "cannot be compared",
                                    entries.front().folder.string(), entry.folder.string()));
    return entries;
}

constexpr int kRounds = 15;

/// Times one batch through every network, in turn, after a pass that is not timed.
Status time_all(std::vector<Entry>& entries) {
    const auto& first = entries.front();
    ESPER_TRY(const auto data,
              open_run_data(first.config, first.state.head.data_fingerprint, first.folder));
    const auto part = tolaria::Part::kValidation;
    tolaria::Batch batch;
    tolaria::BatchPlan::in_order(data->size(part),
                                 static_cast<std::uint32_t>(first.config.data.batch_size))
        .batch(0, batch.indices);
    ESPER_CHECK_STATUS(tolaria::fill_batch(*data, part, std::nullopt, batch));
    const std::vector<at::Tensor> inputs{tolaria::as_tensors(batch, data->info()).front()};
    for (int round = -1; round < kRounds; ++round)
        for (auto& entry : entries) {
            const auto began = std::chrono::steady_clock::now();
            ESPER_TRY(const auto logits,
                      entry.engine->logits(entry.state.program(), entry.state.store(), inputs));
            const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
            if (round >= 0)
                entry.seconds.push_back(took.count() / static_cast<double>(batch.size()));
        }
    return {};
}

ParetoPoint point_of(Entry& entry) {
    const auto number = [&](const char* key) { return records::number_of(entry.run, key); };
    ParetoPoint point;
    point.name = entry.folder.string();
    point.trunk = entry.trunk;
    const bool tested = number("test_loss").has_value();
    point.loss = number(tested ? "test_loss" : "best_val_loss").value_or(0);
    point.accuracy = number(tested ? "test_accuracy" : "val_accuracy");
    point.flops = number("flops_total").value_or(0);
    point.parameters = static_cast<double>(entry.state.program()->parameter_count());
    std::ranges::sort(entry.seconds);
    point.milliseconds = 1e3 * entry.seconds[entry.seconds.size() / 2];
    return point;
}

void print_table(const std::vector<ParetoPoint>& points) {
    std::size_t wide = 7;
    for (const auto& p : points) wide = std::max(wide, p.name.size());
    std::printf("%-*s %8s %9s %8s %11s %10s  %s\n", static_cast<int>(wide), "network", "loss",
                "accuracy", "FLOPs", "parameters", "ms/example", "none better by");
    for (const auto& p : points)
        std::printf("%-*s %8.4f %9s %8s %11s %10.4f  %s%s%s\n", static_cast<int>(wide),
                    p.name.c_str(), p.loss,
                    p.accuracy ? fmt::format("{:.2f} %", 100 * *p.accuracy).c_str() : "-",
                    human_count(p.flops).c_str(), human_count(p.parameters).c_str(), p.milliseconds,
                    p.best_by_flops ? "FLOPs " : "", p.best_by_parameters ? "parameters " : "",
                    p.best_by_time ? "time" : "");
}

void print_lines(const std::vector<ParetoPoint>& points, const std::string& page) {
    for (const auto& p : points)
        print_json_line({{"event", "network"},
                         {"folder", p.name},
                         {"trunk", p.trunk},
                         {"loss", p.loss},
                         {"accuracy", p.accuracy ? json(*p.accuracy) : json()},
                         {"flops_total", p.flops},
                         {"parameters", p.parameters},
                         {"milliseconds_per_example", p.milliseconds},
                         {"best_by",
                          {{"flops", p.best_by_flops},
                           {"parameters", p.best_by_parameters},
                           {"time", p.best_by_time}}}});
    print_json_line({{"event", "page"}, {"file", page}});
}

Status pareto(const Arguments& a) {
    ESPER_CHECK_STATUS(check_output_file(a.out));
    ESPER_TRY(auto entries, open_entries(a));
    ESPER_CHECK_STATUS(time_all(entries));
    std::vector<ParetoPoint> points;
    for (auto& entry : entries) points.push_back(point_of(entry));
    std::ranges::sort(points, {}, &ParetoPoint::flops);
    records::mark_the_best(points);
    ESPER_CHECK_STATUS(write_file_atomic(a.out, records::pareto_page(points)));
    if (a.json) {
        print_lines(points, a.out);
    } else {
        print_table(points);
        std::printf("drawn in %s\n", a.out.c_str());
    }
    return {};
}

}  // namespace

void add_pareto(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<Arguments>();
    a->out = "pareto.html";
    auto* command = app.add_subcommand(
        "pareto", "compare finished networks by quality, FLOPs, parameters and inference time");
    command
        ->add_option("folders", a->folders,
                     "runs; of a run with a budget also what it was finished at")
        ->required();
    command->add_option("-o,--out", a->out, "the drawn page (default: pareto.html)");
    command->add_flag("--json", a->json, "standard output is JSON lines only");
    command->callback([a, &exit_code] {
        const auto done = pareto(*a);
        exit_code = done ? 0 : report_error(done.error());
    });
}

}  // namespace esper::cli
