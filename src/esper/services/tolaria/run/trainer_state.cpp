#include <torch/version.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "esper/base/process_usage.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/tolaria/learn/input_cost.h"
#include "esper/services/tolaria/run/trainer.h"
#include "esper/version.h"

namespace esper::tolaria {

using nlohmann::json;

double Trainer::wall_seconds() const {
    return wall_seconds_before_ + static_cast<double>(clock_.now_ns() - started_ns_) * 1e-9;
}

// Training is what is left: steps, batches, checkpoints.
json Trainer::seconds_spent() const {
    const double elsewhere = seconds_.validation + seconds_.measuring + seconds_.test;
    return {{"training", std::max(0.0, wall_seconds() - elsewhere)},
            {"validation", seconds_.validation},
            {"measuring", seconds_.measuring},
            {"test", seconds_.test}};
}

Status Trainer::save(CheckpointKind kind) {
    if (growth_) ESPER_CHECK_STATUS(growth_->check_table(now_));
    // The event is part of the checkpoint. That of a stop has none: a run that was stopped and
    // resumed is the same run.
    if (kind != CheckpointKind::kStopped)
        ESPER_CHECK_STATUS(folder_.event(
            "checkpoint", now_.step, now_.epoch,
            {{"kind", to_text(kind)}, {"file", CheckpointRing::file_name(now_.step, kind)}}));
    ESPER_CHECK_STATUS(folder_.sync());
    flops_.recording += learner_.engine().take_recording_flops();
    Checkpoint checkpoint;
    SavedRun state;
    state.step = now_.step;
    state.learner = learner_.save("", checkpoint.tensors);
    state.program_sha256 = learner_.program()->hash().hex();
    state.data = dataset_->info().fingerprint;
    state.initial_parameters = initial_parameters_;
    state.curves = curves_;
    state.spikes = spikes_.state();
    state.rollback = history_;
    state.flops = flops_;
    state.wall_seconds = wall_seconds();
    state.seconds = seconds_;
    if (images_->grow()) state.resolution = images_->changes();
    if (course_.has_budget()) state.course = SavedCourse{course_.marks(), last_boundary_};
    state.lengths = folder_.lengths();
    state.journal_entries = journal_ ? journal_->size() : 0;
    mean_.save(checkpoint.tensors);
    if (growth_) state.growth.emplace(growth_->save(checkpoint.tensors));
    checkpoint.state = saved::write(state).dump();
    ESPER_CHECK_STATUS(folder_.check_is_there());
    // The first one is written before run.json: where it fails, the folder goes.
    const auto what_to_do = saved_step_ < 0
                                ? std::string("start the run again")
                                : records::command_with("esper resume", folder_.path().string());
    auto written = ring_.write(now_.step, checkpoint, kind);
    if (!written)
        return fail(written.error().within("the checkpoint of step " + std::to_string(now_.step) +
                                           " could not be written, the ones before it are as they "
                                           "were; make room, then " +
                                           what_to_do));
    if (kind == CheckpointKind::kTrunk) return {};
    saved_step_ = now_.step;
    saved_ns_ = clock_.now_ns();
    return {};
}

Status Trainer::load(const SavedRun& state, const Tensors& tensors) {
    if (state.data != dataset_->info().fingerprint)
        return fail(TolariaError::kChangedRun,
                    "the data is not what this run was started on (fingerprint " +
                        dataset_->info().fingerprint.substr(0, 12) + ", the run's is " +
                        state.data.substr(0, 12) + ")");
    ESPER_TRY(const auto entries, graph::read_journal(folder_.journal()));
    if (entries.front().initial->hash() != host_->hash())
        return fail(TolariaError::kChangedRun,
                    "the configuration describes another network than the run's: its host is " +
                        host_->hash().hex().substr(0, 12) + ", the run's " +
                        entries.front().initial->hash().hex().substr(0, 12));
    ESPER_CHECK_STATUS(learner_.restore(state.learner, "", tensors));
    if (learner_.program()->hash().hex() != state.program_sha256)
        return fail(TolariaError::kBadCheckpoint,
                    "the checkpoint's Program does not have its hash");
    mean_.restore(learner_.program(), tensors);
    ESPER_CHECK_STATUS(
        images_->restore(state.resolution.value_or(std::vector<GrowingImages::Change>{})));
    costed_.reset();
    ESPER_TRY(journal_, graph::Journal::reopen(folder_.journal(), state.journal_entries));
    if (growth_) {
        if (!state.growth)
            return fail(TolariaError::kBadCheckpoint,
                        "the checkpoint cannot be read: 'growth' is missing");
        ESPER_CHECK_STATUS(growth_->restore(*state.growth, tensors));
        if (const auto* trial = growth_->splits().on_trial()) ring_.hold(trial->step);
    }
    now_ = {state.step, static_cast<std::uint32_t>(state.step / length_.steps_per_epoch)};
    last_boundary_ = state.course ? state.course->last_boundary
                                  : state.step / length_.steps_per_epoch * length_.steps_per_epoch;
    course_.restore(state.course ? state.course->marks : std::vector<Course::Mark>{});
    initial_parameters_ = state.initial_parameters;
    curves_ = state.curves;
    saved_step_ = state.step;
    saved_ns_ = clock_.now_ns();
    spikes_.restore(state.spikes);
    history_ = state.rollback;
    flops_ = state.flops;
    wall_seconds_before_ = state.wall_seconds;
    seconds_ = state.seconds.value_or(SpentSeconds{});
    started_ns_ = saved_ns_;
    return {};
}

Status Trainer::write_run_json(RunStatus status) {
    flops_.recording += learner_.engine().take_recording_flops();
    const auto& program = *learner_.program();
    ESPER_TRY(auto cost, cost_on(program, images_->info()));
    const std::size_t splits = growth_ ? growth_->splits().made().size() : 0;
    const auto seeds = growth_ ? growth_->counts() : SeedCounts{};
    auto last = [](const std::vector<double>& v) { return v.empty() ? json() : json(v.back()); };
    // The controller forgets it in a resume.
    if (!growth_) waiting_for_ = "growth.enabled is false";
    if (growth_ && !growth_->waiting_for().empty()) waiting_for_ = growth_->waiting_for();
    json run{{"status", to_text(status)},
             {"name", config_.run.name},
             {"seed", config_.run.seed},
             {"epochs", now_.epoch},
             {"steps", now_.step},
             {"train_loss", last(curves_.train_losses)},
             {"val_loss", last(curves_.validation_losses)},
             {"val_accuracy", last(curves_.validation_accuracies)},
             {"best_val_loss", curves_.best_step < 0 ? json() : json(curves_.best_loss)},
             {"best_step", curves_.best_step < 0 ? json() : json(curves_.best_step)},
             {"test_accuracy", test_ && test_->accuracy ? json(*test_->accuracy) : json()},
             {"test_loss", test_ ? json(test_->loss) : json()},
             {"parameters", program.parameter_count()},
             {"parameters_initial", initial_parameters_},
             {"flops_per_example", cost.forward_flops},
             {"flops_total", flops_.total()},
             {"flops", saved::write(flops_)},
             {"wall_seconds", wall_seconds()},
             {"seconds", seconds_spent()},
             {"seeds",
              {{"germinated", seeds.germinated},
               {"fossilized", seeds.fossilized},
               {"culled", seeds.culled},
               {"cancelled", seeds.cancelled},
               {"rolled_back", seeds.rolled_back}}},
             {"kernels", growth_ ? growth_->kernels().summary() : json::object()},
             {"splits", {{"made", splits}, {"taken_back", history_.splits_taken_back()}}},
             {"rollbacks", history_.rollbacks},
             {"program_sha256", program.hash().hex()},
             {"precision", contracts::to_text(config_.run.precision)},
             {"versions", {{"esper", ESPER_VERSION}, {"torch", TORCH_VERSION}}},
             {"machine", {{"threads", config_.run.threads}}}};
    const auto& data = dataset_->info();
    run["task"] = to_text(data.task);
    if (!data.target_name.empty()) run["target"] = data.target_name;
    if (!curves_.validation_losses.empty()) {
        const auto& accuracies = curves_.validation_accuracies;
        run["val_metrics"] = to_json(
            metrics_of(data, curves_.validation_losses.back(),
                       accuracies.empty() ? std::nullopt : std::optional(accuracies.back())));
    }
    if (test_) {
        run["test_metrics"] = to_json(metrics_of(data, *test_));
        if (auto confusion = confusion_of(data, *test_); !confusion.is_null())
            run["test_confusion"] = std::move(confusion);
        run["test_checkpoint"] = test_checkpoint_;
        run["test_step"] = test_step_;
    }
    if (const auto peak = peak_resident_bytes()) run["peak_resident_bytes"] = *peak;
    if (growth_ && growth_->is_paused()) run["growth_paused"] = true;
    run["ended_early"] = ended_early_;
    run["waiting_for"] = seeds.germinated == 0 && splits == 0 ? waiting_for_ : "";
    if (images_->grow()) run["resolution"] = resolution_so_far();
    if (course_.has_budget()) {
        const auto& budget = course_.budget();
        run["budget"] = {{"of", budget.of == configs::Budget::Of::kFlops ? "flops" : "seconds"},
                         {"limit", budget.amount},
                         {"spent", course_.spent_at(now_.step)},
                         {"cooldown_from", course_.cooldown_begin(budget)}};
    }
    std::error_code ignored;
    run["working_directory"] = std::filesystem::current_path(ignored).string();
    run["data"] = {{"path", config_.data.path}, {"fingerprint", dataset_->info().fingerprint}};
    return folder_.write_run_json(run);
}

}  // namespace esper::tolaria
