#include "esper/cli/finish.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/base/text.h"
#include "esper/cli/commands.h"
#include "esper/cli/export.h"
#include "esper/cli/run_config.h"
#include "esper/cli/run_kernels.h"
#include "esper/cli/run_state.h"
#include "esper/cli/screen.h"
#include "esper/cli/signals.h"
#include "esper/services/records/fields.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/records/run_files.h"
#include "esper/services/tolaria/run/finish.h"

namespace esper::cli {

namespace {

namespace fs = std::filesystem;
using configs::Budget;
using nlohmann::json;

constexpr int kNoData = 3;  // here: no checkpoint from which it could be finished is left

struct Arguments {
    std::string folder;
    std::string at;
    OutputFlags output;
};

Result<bool> is_done(const fs::path& folder) {
    ESPER_TRY(const auto run, records::read_run_json(folder));
    return records::text_of(run, "status") == "done";
}

/// Trains the fork to its end. The exit code.
int cool_down(const fs::path& folder, const OutputFlags& output) {
    const auto config = load_run_config(folder, {});
    if (!config) return report_error(config.error());
    auto trainer = tolaria::Trainer::resume(*config, folder, system_clock(), kernels_for(*config));
    if (!trainer) return report_error(trainer.error());
    // What each one prints at its end is of one run; the table of all follows.
    return drive(**trainer, folder, {.json = output.json, .quiet = true});
}

int finish_one(const fs::path& run, const configs::EsperConfig& trunk, const Budget& budget,
               const OutputFlags& output) {
    if (auto forked = tolaria::fork_at(run, trunk, budget); !forked)
        return report_error(forked.error());
    const auto folder = tolaria::finish_folder(run, budget);
    const auto done = is_done(folder);
    if (!done) return report_error(done.error());
    if (!*done) {
        if (!output.quiet && !output.json)
            std::fprintf(stderr, "finishing %s at %s in %s\n", run.c_str(),
                         budget.in_words().c_str(), folder.c_str());
        if (const int code = cool_down(folder, output); code != 0) return code;
    }
    std::error_code ignored;
    if (!fs::exists(folder / "export" / "model.py", ignored))
        if (auto exported = export_network(folder, "", ""); !exported)
            return report_error(exported.error());
    return 0;
}

std::string figure(const json& run, const char* key) {
    const auto value = records::number_of(run, key);
    return value ? fmt::format("{:.4f}", *value) : "-";
}

Status show(const fs::path& run, const std::vector<Budget>& budgets, const OutputFlags& output) {
    if (!output.json)
        std::printf("%-14s %10s %10s %11s %9s  %s\n", "budget", "val loss", "test loss",
                    "parameters", "FLOPs", "network");
    for (const auto& budget : budgets) {
        const auto folder = tolaria::finish_folder(run, budget);
        ESPER_TRY(const auto record, records::read_run_json(folder));
        if (output.json) {
            print_json_line({{"event", "finished"},
                             {"budget", budget.to_string()},
                             {"folder", folder.string()},
                             {"run", record}});
            continue;
        }
        const auto count = [&](const char* key) {
            return human_count(records::number_of(record, key).value_or(0));
        };
        std::printf("%-14s %10s %10s %11s %9s  %s\n", budget.to_string().c_str(),
                    figure(record, "best_val_loss").c_str(), figure(record, "test_loss").c_str(),
                    count("parameters").c_str(), count("flops_total").c_str(),
                    (folder / "export").c_str());
    }
    return {};
}

Result<std::vector<Budget>> budgets_of(const Arguments& a, const configs::EsperConfig& trunk) {
    if (a.at.empty()) {
        ESPER_TRY(auto reached, tolaria::reached_budgets(a.folder, trunk));
        if (!reached.empty()) return reached;
        return fail(tolaria::TolariaError::kUnsupported,
                    a.folder +
                        " has not come to the cool-down of any smaller budget; let it train "
                        "on (" +
                        records::command_with("esper resume", a.folder) +
                        "), or name a budget with --at");
    }
    std::vector<Budget> budgets;
    for (const auto& text : split(a.at, ',')) {
        const auto budget = Budget::parse(text);
        if (!budget || !budget->is_set())
            return fail(tolaria::TolariaError::kUnsupported,
                        "--at " + a.at + ": '" + text +
                            "' is no budget; expected FLOPs such as 3e12 or a time such as 30m, "
                            "several with commas between them");
        budgets.push_back(*budget);
    }
    return budgets;
}

/// Finishes a run at smaller budgets, one after the other: forks it where the cool-down of each
/// begins, trains that to its end, evaluates and exports it into RUN/finish/<budget>. What is
/// finished already is left alone, what was interrupted goes on. Prints a table of the finished
/// networks, or JSON lines. A budget that cannot be had is said, and the others are finished.
/// Returns the first exit code that is not 0; where nobody named the budgets (`are_named`), one for
/// which no checkpoint is left is no failure if another was finished.
int finish_at(const fs::path& run, const configs::EsperConfig& trunk, std::vector<Budget> budgets,
              const OutputFlags& output, bool are_named) {
    std::ranges::sort(budgets, {}, &Budget::amount);
    std::vector<Budget> finished;
    int first_failure = 0;
    for (const auto& budget : budgets) {
        const int code = finish_one(run, trunk, budget, output);
        if (code == kInterrupted) return code;
        if (code == 0)
            finished.push_back(budget);
        else if (first_failure == 0 || (first_failure == kNoData && !are_named))
            first_failure = code;
    }
    if (!finished.empty() && !are_named && first_failure == kNoData) first_failure = 0;
    if (finished.empty() || (output.quiet && !output.json)) return first_failure;
    const auto shown = show(run, finished, output);
    return shown ? first_failure : report_error(shown.error());
}

int finish(const Arguments& a) {
    const auto config = load_run_config(a.folder, {});
    if (!config) return report_error(config.error());
    const auto budgets = budgets_of(a, *config);
    if (!budgets) return report_error(budgets.error());
    const bool are_named = !a.at.empty() || !config->run.finish_at.empty();
    return finish_at(a.folder, *config, *budgets, a.output, are_named);
}

}  // namespace

int finish_named(const fs::path& run, const configs::EsperConfig& trunk,
                 const OutputFlags& output) {
    std::vector<Budget> budgets;
    for (const auto& text : trunk.run.finish_at) budgets.push_back(Budget::of_text(text));
    return budgets.empty() ? 0 : finish_at(run, trunk, std::move(budgets), output, true);
}

void add_finish(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<Arguments>();
    auto* command = app.add_subcommand(
        "finish", "finish a run with a budget at smaller budgets, a network for each");
    command->add_option("folder", a->folder, "the run's folder")->required();
    command->add_option("--at", a->at,
                        "budgets: FLOPs (1.5e12,3e12) or times (10m); default: run.finish_at, or "
                        "the halves of the run's budget that it has come to");
    add_output_flags(command, a->output);
    command->callback([a, &exit_code] { exit_code = finish(*a); });
}

}  // namespace esper::cli
