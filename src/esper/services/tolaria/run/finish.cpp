#include "esper/services/tolaria/run/finish.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "esper/base/own_file.h"
#include "esper/configs/yaml.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/records/run_files.h"
#include "esper/services/records/run_folder.h"
#include "esper/services/tolaria/run/saved_run.h"

namespace esper::tolaria {

namespace fs = std::filesystem;
using configs::Budget;

namespace {

/// A course to ask where cool-downs begin; lengths in steps do not matter for that.
Course course_to_ask(const configs::EsperConfig& trunk) {
    LearningRateSchedule schedule;
    schedule.kind = trunk.optimization.schedule;
    schedule.cooldown = trunk.optimization.cooldown;
    return {schedule, Budget::of_text(trunk.run.budget)};
}

Status check_budget(const fs::path& run, const configs::EsperConfig& trunk, const Budget& budget) {
    const auto whole = Budget::of_text(trunk.run.budget);
    if (!whole.is_set())
        return fail(TolariaError::kUnsupported,
                    run.string() +
                        " has no budget, so it has no cool-down that could begin "
                        "earlier; train it with run.budget=…");
    if (trunk.optimization.schedule != configs::Schedule::kWarmupConstantCooldown)
        return fail(TolariaError::kUnsupported,
                    run.string() +
                        " has a schedule without a constant part; train it with "
                        "optimization.schedule=warmup_constant_cooldown");
    if (!budget.is_set() || budget.of != whole.of)
        return fail(TolariaError::kUnsupported,
                    fmt::format("'{}' is no budget of the kind of the run's, {}",
                                budget.to_string(), whole.to_string()));
    if (budget.amount > whole.amount)
        return fail(
            TolariaError::kUnsupported,
            fmt::format("{} was trained for {}, and its rate falls before the cool-down of "
                        "{} begins; for more train a run with run.budget={}, and give "
                        "run.finish_at the smaller ones",
                        run.string(), whole.in_words(), budget.in_words(), budget.to_string()));
    if (budget.amount == whole.amount)
        return fail(TolariaError::kUnsupported,
                    fmt::format("{} is finished at its own budget of {} by training on: 'esper "
                                "resume {}'",
                                run.string(), whole.in_words(), run.string()));
    return {};
}

double spent_of(const SavedRun& state, const Budget& budget) {
    return budget.of == Budget::Of::kSeconds ? state.wall_seconds : state.flops.budgeted();
}

/// Whether every step up to this state was made before the cool-down began.
bool is_before(const SavedRun& state, double begin) {
    if (state.step == 0) return true;
    return state.course && Course::spent_by(state.course->marks, state.step - 1) < begin;
}

struct Place {
    fs::path file;
    Checkpoint checkpoint;
    SavedRun state;
};

Result<Place> newest_before(const fs::path& run, const CheckpointRing& ring, const Budget& budget,
                            double begin) {
    auto files = ring.regular_files();
    std::ranges::reverse(files);
    for (const auto& file : files) {
        auto checkpoint = read_checkpoint(file.path);
        if (!checkpoint) continue;  // a damaged one; an older one will do
        ESPER_TRY(auto state, read_saved_run(*checkpoint));
        if (is_before(state, begin))
            return Place{file.path, *std::move(checkpoint), std::move(state)};
    }
    return fail(
        FileError::kNotFound,
        fmt::format("{} cannot be finished at {}: no checkpoint from before its cool-down, "
                    "which begins at {}, is left; a run with run.finish_at=[{}], or with "
                    "checkpoint.every more often, keeps one",
                    run.string(), budget.in_words(), budget.in_words(begin), budget.to_string()));
}

/// A file of the trunk as it was when the checkpoint was written.
Status copy_beginning(const fs::path& from, const fs::path& to, std::uint64_t length) {
    ESPER_TRY(auto text, read_own_file(from));
    if (text.size() < length)
        return fail(TolariaError::kBadCheckpoint,
                    from.string() + " is shorter than the checkpoint says it was");
    text.resize(length);
    return write_file_atomic(to, text);
}

Status refuse_link(const fs::path& path) {
    std::error_code ignored;
    if (!fs::is_symlink(path, ignored)) return {};
    return fail(OwnFileError::kSymbolicLink,
                path.string() + " is a symbolic link, which is not followed; take it away");
}

// What is written into the new folder besides the checkpoint, run.json excepted.
Status copy_records(const fs::path& run, const SavedRun& state, records::RunFolder& fork) {
    for (const auto& [name, length] : state.lengths)
        ESPER_CHECK_STATUS(copy_beginning(run / name, fork.path() / name, length));
    ESPER_TRY(const auto journal, read_own_file(run / "journal.jsonl"));
    ESPER_CHECK_STATUS(write_file_atomic(fork.journal(), journal));
    return fork.cut_back(state.lengths);
}

// The best network is looked for from here on: the trunk's was not kept with this checkpoint.
std::string state_of_fork(const Place& place, const records::RunFolder& fork) {
    auto state = place.state;
    state.curves.best_step = -1;
    state.curves.best_loss = 0;
    state.lengths = fork.lengths();
    return saved::write(state).dump();
}

}  // namespace

fs::path finish_folder(const fs::path& run, const Budget& budget) {
    return run / "finish" / budget.to_string();
}

configs::EsperConfig finish_config(const configs::EsperConfig& trunk, const Budget& budget) {
    auto config = trunk;
    config.run.budget = budget.to_string();
    config.run.finish_at.clear();
    return config;
}

Status fork_at(const fs::path& run, const configs::EsperConfig& trunk, const Budget& budget) {
    ESPER_CHECK_STATUS(check_budget(run, trunk, budget));
    const auto folder = finish_folder(run, budget);
    for (const auto& part : {folder.parent_path(), folder}) ESPER_CHECK_STATUS(refuse_link(part));
    std::error_code ignored;
    if (fs::exists(folder / "run.json", ignored)) return {};
    ESPER_TRY(auto record, records::read_run_json(run));
    const CheckpointRing ring(run / "checkpoints", 1);
    ESPER_TRY(const auto newest, ring.newest());
    ESPER_TRY(const auto now, read_saved_run(newest));
    const double begin = course_to_ask(trunk).cooldown_begin(budget);
    if (spent_of(now, budget) < begin)
        return fail(
            TolariaError::kUnsupported,
            fmt::format("{} has spent {}, and the cool-down of {} begins at {}; let it train "
                        "on first ({})",
                        run.string(), budget.in_words(spent_of(now, budget)), budget.in_words(),
                        budget.in_words(begin),
                        records::command_with("esper resume", run.string())));
    ESPER_TRY(auto place, newest_before(run, ring, budget, begin));
    ESPER_TRY(auto fork, records::RunFolder::create(folder));
    ESPER_CHECK_STATUS(copy_records(run, place.state, fork));
    const auto epoch = static_cast<std::int64_t>(place.state.curves.train_losses.size());
    ESPER_CHECK_STATUS(fork.event("forked", place.state.step, epoch,
                                  {{"checkpoint", place.file.filename().string()},
                                   {"spent", spent_of(place.state, budget)},
                                   {"flops_total", place.state.flops.total()},
                                   {"wall_seconds", place.state.wall_seconds},
                                   {"budget", budget.to_string()}}));
    ESPER_CHECK_STATUS(fork.sync());
    place.checkpoint.state = state_of_fork(place, fork);
    CheckpointRing own(fork.checkpoints(), trunk.checkpoint.keep);
    ESPER_CHECK_STATUS(own.write(place.state.step, place.checkpoint, CheckpointKind::kRegular));
    ESPER_CHECK_STATUS(
        write_file_atomic(folder / "config.yaml", configs::to_yaml(finish_config(trunk, budget))));
    record["status"] = "stopped";
    record["steps"] = place.state.step;
    return fork.write_run_json(record);
}

Result<std::vector<Budget>> reached_budgets(const fs::path& run,
                                            const configs::EsperConfig& trunk) {
    const auto whole = Budget::of_text(trunk.run.budget);
    ESPER_TRY(const auto newest, CheckpointRing(run / "checkpoints", 1).newest());
    ESPER_TRY(const auto now, read_saved_run(newest));
    std::vector<Budget> reached;
    const auto course = course_to_ask(trunk);
    for (const auto& budget : kept_budgets(whole, trunk.run.finish_at))
        if (course.cooldown_begin(budget) <= spent_of(now, budget)) reached.push_back(budget);
    std::ranges::sort(reached, {}, &Budget::amount);
    return reached;
}

}  // namespace esper::tolaria
