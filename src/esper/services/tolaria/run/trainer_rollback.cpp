#include <algorithm>
#include <nlohmann/json.hpp>

#include "esper/services/tolaria/run/trainer.h"

namespace esper::tolaria {

// Host, seeds, controller, optimizer and place in the data, all from one checkpoint. The tensors
// are new ones, so nothing that was recorded may stay.
Status Trainer::start_over_from(const SavedRun& state, const Tensors& tensors) {
    loader_.reset();
    growth_.reset();
    ESPER_CHECK_STATUS(learner_.begin(host_));
    ESPER_CHECK_STATUS(start_growth());
    return load(state, tensors);
}

// The order matters, for the process may be killed anywhere here: until the new checkpoint is
// written the old one of the same step stands, the journal holds at least its entries, and a
// resumed run comes into the same trouble and does all this again.
Status Trainer::roll_back(const Trouble& trouble) {
    const auto from = now_.step;
    const auto epoch = now_.epoch;
    ESPER_CHECK_STATUS(check_allowed(config_, history_, trouble, from));
    const bool request = trouble.kind == TroubleKind::kRequest;
    const bool of_split = trouble.kind == TroubleKind::kSplit;
    const auto* trial = growth_ ? growth_->splits().on_trial() : nullptr;
    auto target =
        find_target(ring_, history_, trouble, from, trial != nullptr ? trial->step : from);
    if (!target) {
        if (!request && !of_split) return fail(target.error());
        // A run that was finished at a smaller budget begins with one checkpoint only.
        if (of_split) growth_->splits().keep();
        ESPER_CHECK_STATUS(
            folder_.event("rollback_refused", from, epoch, {{"reason", target.error().message()}}));
        return {};
    }
    ESPER_CHECK_STATUS(
        check_it_can_help(config_, history_, trouble, from, curves_.epoch_loss_sum, target->step));
    ESPER_TRY(const auto state, read_saved_run(target->checkpoint));
    const auto metrics_length = state.lengths.find("metrics.csv");
    if (metrics_length == state.lengths.end())
        return fail(TolariaError::kBadCheckpoint,
                    "the checkpoint cannot be read: 'lengths.metrics.csv' is missing");
    auto history = history_;
    ++history.rollbacks;
    if (!request && !of_split) ++history.spent;
    history.target = target->step;
    if (!request && !of_split) history.reached = std::max(history.reached, from);
    nlohmann::json event{{"trouble", to_text(trouble.kind)},
                         {"reason", trouble.reason},
                         {"evidence", nlohmann::json::parse(trouble.evidence)},
                         {"to_step", target->step}};
    if (of_split && trial != nullptr) {
        event["failed_split"] = {
            {"block", trial->block}, {"copy", trial->copy}, {"step", trial->step}};
        if (!history.splits) history.splits.emplace();
        history.splits->push_back({trial->block, trial->step});
    }
    const auto blamed = growth_ && !of_split ? growth_->at_fault(target->step) : std::nullopt;
    if (blamed) {
        event["failed_seed"] = {{"layer", growth_->kasmina().slots()[blamed->slot].anchor},
                                {"layer_index", blamed->slot},
                                {"seed", blamed->seed}};
        event["failed_blueprint_id"] = blamed->blueprint;
        history.locked.push_back(*blamed);
        history.trouble.clear();
    } else if (!request && !of_split) {
        history.rate_factor *= kRateAfterRollback;
        history.trouble = to_text(trouble.kind);
        history.trouble_step = from;
        history.losses_before = curves_.epoch_loss_sum;
    }
    event["rate_factor"] = history.rate_factor;
    event["rollbacks"] = history.rollbacks;
    ESPER_CHECK_STATUS(folder_.event("rollback", from, epoch, std::move(event)));

    const auto carried = growth_ ? growth_->carry() : Growth::Carried{};
    const bool best_is_undone = curves_.best_step > target->step;
    // What was spent on the way that is given up was spent all the same.
    flops_.recording += learner_.engine().take_recording_flops();
    const auto flops = flops_;
    const double wall = wall_seconds();
    ring_.forget_after(target->step);
    ring_.hold(std::nullopt);
    if (of_split) ring_.forget_trunk(target->step);
    ESPER_CHECK_STATUS(start_over_from(state, target->checkpoint.tensors));
    flops_ = flops;
    wall_seconds_before_ = wall;
    learner_.engine().assume_counted({});  // it is recorded once more, and that counts
    // Forks of before ran at the rate of before.
    if (growth_) {
        const StopSignal::Heeded heeded(stop_);
        ESPER_CHECK_STATUS(growth_->bring_forks_to(now_.step));
    }
    history_ = std::move(history);
    if (growth_) {
        growth_->take_over(carried);
        for (const auto& lock : history_.locked) ESPER_CHECK_STATUS(growth_->lock(lock, now_));
    }
    ESPER_CHECK_STATUS(folder_.cut_back({*metrics_length}));
    if (growth_) ESPER_CHECK_STATUS(growth_->kernels().report_lost(now_));
    if (best_is_undone) {
        // The best one left is where the run stands now.
        const bool none = curves_.validation_losses.empty() || !images_->are_whole();
        curves_.best_step = none ? -1 : now_.step;
        if (curves_.best_step >= 0) curves_.best_loss = curves_.validation_losses.back();
    }
    ESPER_CHECK_STATUS(save(best_is_undone ? CheckpointKind::kBest : CheckpointKind::kRegular));
    ESPER_CHECK_STATUS(write_run_json(RunStatus::kRunning));
    restart_loader();
    return {};
}

}  // namespace esper::tolaria
