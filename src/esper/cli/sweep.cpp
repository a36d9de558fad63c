#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/base/text.h"
#include "esper/cli/commands.h"
#include "esper/cli/optuna_journal.h"
#include "esper/cli/print.h"
#include "esper/cli/run_processes.h"
#include "esper/cli/signals.h"
#include "esper/cli/sweep_plan.h"
#include "esper/cli/sweep_results.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/records/records_errors.h"
#include "esper/services/records/run_folder.h"
#include "esper/services/tolaria/data/data_errors.h"

namespace esper::cli {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using tolaria::DataError;

struct Arguments {
    std::vector<std::string> words;
    std::string folder;
    std::string optuna;
    int seeds = 1;
    int jobs = 1;
    bool has_seeds = false;
    bool json = false;
};

struct Sweep {
    fs::path folder;
    SweepPlan plan;
};

// A sweep that is to go on is named by its folder, which says all the rest.
Result<Sweep> go_on(const Arguments& a, const fs::path& folder) {
    if (a.words.size() > 1 || a.has_seeds || !a.folder.empty())
        return fail(DataError::kBadOption,
                    fmt::format("{} is a sweep, which goes on as it was begun; leave keys, --seeds "
                                "and --run away",
                                folder.string()));
    ESPER_TRY(auto plan, read_sweep(folder));
    return Sweep{folder, std::move(plan)};
}

Result<Sweep> begin(const Arguments& a) {
    if (a.words.empty())
        return fail(DataError::kBadOption,
                    "name a configuration or data, then keys with their values: esper sweep "
                    "CONFIG optimization.learning_rate=0.001,0.003 --seeds 3");
    ESPER_TRY(auto plan,
              plan_sweep(a.words.front(), {a.words.begin() + 1, a.words.end()}, a.seeds, a.jobs));
    const auto folder = a.folder.empty()
                            ? records::RunFolder::next_free("runs", plan.run_name + "-sweep")
                            : fs::path(a.folder);
    if (is_sweep(folder)) {
        ESPER_TRY(auto kept, read_sweep(folder));
        if (const auto other = difference(kept, plan); !other.empty())
            return fail(records::RecordsError::kBadRunFolder,
                        fmt::format("{} holds another sweep: {}; name another folder with --run, "
                                    "or go on with that one: esper sweep {}",
                                    folder.string(), other, folder.string()));
        return Sweep{folder, std::move(kept)};
    }
    std::error_code ignored;
    if (fs::exists(folder, ignored) && !fs::is_empty(folder, ignored))
        return fail(records::RecordsError::kBadRunFolder,
                    folder.string() + " is not empty and holds no sweep; name a new folder");
    ESPER_CHECK_STATUS(write_sweep(plan, folder));
    return Sweep{folder, std::move(plan)};
}

std::vector<std::string> words_for(const Sweep& sweep, const SweepRun& run) {
    const auto folder = (sweep.folder / run.name).string();
    if (is_begun(folder)) return {"resume", folder, "-q"};
    const auto& combination = sweep.plan.combinations[run.combination];
    return {"train",  (sweep.folder / (combination.name + ".yaml")).string(),
            "--seed", std::to_string(run.seed),
            "--run",  folder,
            "-q"};
}

/// Trains what is not done yet. True where a signal stopped it.
Result<bool> train_all(const Sweep& sweep, SweepResults& results, int jobs) {
    const auto runs = sweep.plan.runs();
    RunProcesses processes;
    std::size_t next = 0;
    while (true) {
        while (next < runs.size() && processes.running() < static_cast<std::size_t>(jobs) &&
               !processes.is_stopping()) {
            const auto number = next++;
            const auto& run = runs[number];
            if (results.take_if_done(number)) continue;
            results.say_started(number);
            ESPER_CHECK_STATUS(
                processes.start(number, words_for(sweep, run), sweep.folder / (run.name + ".log")));
        }
        const auto ended = processes.wait();
        if (!ended) break;
        results.take(ended->number, ended->exit_code);
    }
    return processes.is_stopping();
}

Result<int> sweep(const Arguments& a) {
    if (a.seeds < 1 || a.jobs < 1)
        return fail(DataError::kBadOption, "--seeds and --jobs: expected numbers from 1 on");
    if (!a.optuna.empty()) ESPER_CHECK_STATUS(check_optuna_file(a.optuna));
    const bool goes_on = !a.words.empty() && is_sweep(a.words.front());
    ESPER_TRY(const auto sweep, goes_on ? go_on(a, a.words.front()) : begin(a));
    SweepResults results(sweep.folder, sweep.plan, a.json);
    results.say_begin(a.jobs);
    ESPER_TRY(const auto stopped, train_all(sweep, results, a.jobs));
    ESPER_CHECK_STATUS(results.end());
    // A sweep that goes on later writes its study then.
    if (!a.optuna.empty() && !stopped)
        ESPER_CHECK_STATUS(write_file_atomic(
            a.optuna, optuna_journal(sweep.folder, sweep.plan, results.outcome())));
    if (stopped)
        std::fprintf(stderr, "stopped; what ran has a checkpoint. Go on with\n    esper sweep %s\n",
                     records::printable(records::shell_word(sweep.folder.string())).c_str());
    return stopped ? kInterrupted : results.exit_code();
}

}  // namespace

void add_sweep(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<Arguments>();
    auto* command = app.add_subcommand(
        "sweep", "train every combination of some keys' values, each with several seeds");
    command
        ->add_option(
            "config", a->words,
            "what 'esper train' takes, then keys with their values, key=a,b; or the folder "
            "of a sweep, which goes on")
        ->expected(-1);
    auto* seeds = command->add_option("--seeds", a->seeds,
                                      "seeds of each combination, from run.seed on (default: 1)");
    command->add_option("--jobs", a->jobs, "runs at a time (default: 1)");
    command->add_option("--run", a->folder, "the sweep's folder (default runs/<name>-sweep-<n>)");
    command->add_option("--optuna", a->optuna,
                        "writes the runs as an Optuna study (journal storage) into this new file");
    command->add_flag("--json", a->json, "standard output is JSON lines only");
    command->callback([a, seeds, &exit_code] {
        a->has_seeds = seeds->count() > 0;
        const auto done = sweep(*a);
        exit_code = done ? *done : report_error(done.error());
    });
}

}  // namespace esper::cli
