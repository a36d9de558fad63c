#include <algorithm>
#include <nlohmann/json.hpp>

#include "esper/services/tolaria/run/trainer.h"

namespace esper::tolaria {

// Host, seeds, controller, optimizer and place in the data, all from one checkpoint. The tensors
// are new ones, so nothing that was recorded may stay.
Status Trainer::start_over_from(const Checkpoint& checkpoint) {
    loader_.reset();
    engine_.clear();
    growth_.reset();
    store_ = graph::TensorStore({config_.run.seed, true});
    program_ = host_;
    ESPER_CHECK_STATUS(store_.add(*program_, "host"));
    ESPER_CHECK_STATUS(start_growth());
    const double flops = flops_total_;
    const double wall = wall_seconds_before_;
    ESPER_CHECK_STATUS(load(checkpoint));
    // What was spent on the way that is given up was spent all the same.
    flops_total_ = flops;
    wall_seconds_before_ = wall;
    return {};
}

// The order matters, for the process may be killed anywhere here: until the new checkpoint is
// written the old one of the same step stands, the journal holds at least its entries, and a
// resumed run comes into the same trouble and does all this again.
Status Trainer::roll_back(const Trouble& trouble) {
    const auto from = step_;
    const auto epoch = from / length_.steps_per_epoch;
    ESPER_CHECK_STATUS(check_allowed(config_.checkpoint.rollback, history_, trouble, from));
    const bool request = trouble.kind == TroubleKind::kRequest;
    auto target = find_target(ring_, history_, trouble, from);
    if (!target) {
        if (!request) return fail(target.error());
        ESPER_CHECK_STATUS(
            folder_.event("rollback_refused", from, epoch, {{"reason", target.error().message()}}));
        return {};
    }
    auto history = history_;
    ++history.rollbacks;
    if (!request) ++history.spent;
    history.target = target->step;
    if (!request) history.reached = std::max(history.reached, from);
    nlohmann::json event{{"trouble", to_text(trouble.kind)},
                         {"reason", trouble.reason},
                         {"evidence", nlohmann::json::parse(trouble.evidence)},
                         {"to_step", target->step}};
    const auto blamed = growth_ ? growth_->at_fault(target->step) : std::nullopt;
    if (blamed) {
        event["failed_seed"] = {{"layer", growth_->kasmina().slots()[blamed->slot].anchor},
                                {"layer_index", blamed->slot},
                                {"seed", blamed->seed}};
        event["failed_blueprint_id"] = blamed->blueprint;
        history.locked.push_back(*blamed);
    } else if (!request) {
        history.rate_factor *= kRateAfterRollback;
    }
    event["rate_factor"] = history.rate_factor;
    event["rollbacks"] = history.rollbacks;
    ESPER_CHECK_STATUS(folder_.event("rollback", from, epoch, std::move(event)));

    const auto carried = growth_ ? growth_->carry() : Growth::Carried{};
    const bool best_is_undone = best_step_ > target->step;
    ring_.forget_after(target->step);
    ESPER_CHECK_STATUS(start_over_from(target->checkpoint));
    // Forks of before ran at the rate of before.
    if (growth_) ESPER_CHECK_STATUS(growth_->bring_forks_to(step_));
    history_ = std::move(history);
    if (growth_) {
        ESPER_CHECK_STATUS(growth_->take_over(carried));
        for (const auto& lock : history_.locked) ESPER_CHECK_STATUS(growth_->lock(lock, step_));
        program_ = growth_->program();
        forget_optimizer_state_of_the_gone();
    }
    const auto lengths = nlohmann::json::parse(target->checkpoint.state).at("lengths");
    ESPER_CHECK_STATUS(folder_.cut_back({{"metrics.csv", lengths.at("metrics.csv")}}));
    if (best_is_undone) {
        // The best one left is where the run stands now.
        best_step_ = validation_losses_.empty() ? -1 : step_;
        if (best_step_ >= 0) best_loss_ = validation_losses_.back();
    }
    ESPER_CHECK_STATUS(save(best_is_undone ? CheckpointKind::kBest : CheckpointKind::kRegular));
    ESPER_CHECK_STATUS(write_run_json(RunStatus::kRunning));
    restart_loader();
    return {};
}

}  // namespace esper::tolaria
