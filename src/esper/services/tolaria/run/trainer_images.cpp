// Images that become larger while the run goes on.

#include <nlohmann/json.hpp>

#include "esper/services/tolaria/learn/input_cost.h"
#include "esper/services/tolaria/run/trainer.h"

namespace esper::tolaria {

// Between two steps, after whatever belongs to an epoch's end, so that the checkpoint of this step
// holds the run before the change. A run that is resumed from it makes the change once more.
Status Trainer::mind_images() {
    const auto wanted = images_->stage_for(course_.share(now_.step));
    if (wanted == images_->stage()) return {};
    // The guard compares losses of one size.
    if (growth_ && growth_->splits().on_trial() != nullptr) return {};
    const auto from = images_->side();
    flops_.recording += learner_.engine().take_recording_flops();
    loader_.reset();
    images_->change({now_.step, static_cast<std::int64_t>(wanted),
                     static_cast<std::int64_t>(curves_.validation_losses.size())});
    // What was recorded, and the memory that was planned for it, are for images of before.
    learner_.engine().clear();
    costed_.reset();
    spikes_.restore({});
    if (growth_) growth_->splits().forget_losses();
    ESPER_TRY(const auto cost, cost_on(*learner_.program(), images_->info()));
    ESPER_CHECK_STATUS(folder_.event("resolution", now_.step, now_.epoch,
                                     {{"from", from},
                                      {"to", images_->side()},
                                      {"share", course_.share(now_.step)},
                                      {"flops_per_example", cost.forward_flops}}));
    restart_loader();
    return {};
}

// Or will at this step: a block that is split is judged by losses of one size.
bool Trainer::images_have_changed() const {
    if (images_->stage_for(course_.share(now_.step)) != images_->stage()) return true;
    const auto& changes = images_->changes();
    return !changes.empty() &&
           now_.step < changes.back().step + config_.controller.clock.guard_steps;
}

// Those since the images have their present size.
std::vector<double> Trainer::losses_at_this_size() const {
    const auto& all = curves_.validation_losses;
    const auto& changes = images_->changes();
    const auto before = changes.empty() ? 0 : changes.back().epochs;
    return {all.begin() + std::min(before, std::ssize(all)), all.end()};
}

nlohmann::json Trainer::resolution_so_far() const {
    auto changes = nlohmann::json::array();
    auto before = images_->side(0);
    for (const auto& change : images_->changes()) {
        const auto to = images_->side(static_cast<std::size_t>(change.stage));
        changes.push_back({{"step", change.step}, {"from", before}, {"to", to}});
        before = to;
    }
    return {{"now", images_->side()},
            {"last", images_->side(images_->stages() - 1)},
            {"changes", std::move(changes)}};
}

}  // namespace esper::tolaria
