#include "esper/services/tamiyo/admission.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/services/tamiyo/state_json.h"

namespace esper::tamiyo {
namespace {

std::int64_t share(double of, std::int64_t steps) {
    return std::llround(of * static_cast<double>(steps));
}

}  // namespace

Admission::Admission(const configs::GrowthConfig& growth, const RunShape& run)
    : growth_(growth),
      whole_life_(life_steps(growth, run).whole()),
      cooldown_(steps_of(growth.cooldown, run)),
      start_(share(growth.start, run.total_steps)),
      stop_(share(growth.stop, run.total_steps)) {}

Admission::Room Admission::room(const ControllerView& view) const {
    const configs::GrowthLimits& limits = growth_.limits;
    if (!growth_.enabled) return {0, "growth.enabled is false"};
    if (!view.growth_open) return {0, "the learning-rate schedule is closed to growth"};
    // Of a run with a budget the length is what the view says now.
    const auto start = share(growth_.start, view.total_steps);
    const auto stop = share(growth_.stop, view.total_steps);
    if (view.step < start) {
        return {0, fmt::format("growth starts at step {} (growth.start)", start)};
    }
    if (view.step > stop) {
        return {0, fmt::format("growth stopped at step {} (growth.stop)", stop)};
    }
    if (view.step + whole_life_ > view.total_steps) {
        return {0,
                fmt::format("a seed's life of {} steps (training, graft, stabilization, "
                            "fine_tune) no longer fits into the {} that remain",
                            whole_life_, std::max<std::int64_t>(view.total_steps - view.step, 0))};
    }
    const bool same_boundary = last_step_ == view.step;
    if (last_step_ && !same_boundary && view.step < *last_step_ + cooldown_) {
        return {0, fmt::format("a germination's cooldown lasts until step {} (growth.cooldown)",
                               *last_step_ + cooldown_)};
    }
    int in_flight = 0;
    int fossilized = 0;
    for (const SlotView& slot : view.slots) {
        in_flight += contracts::is_in_flight(slot.state);
        fossilized += slot.state == SeedState::kFossilized;
    }
    const int flying = limits.max_in_flight - in_flight;
    if (flying <= 0) return {0, fmt::format("{} seed(s) are in flight", in_flight)};
    const int keepable = limits.max_fossilized - fossilized - in_flight;
    if (keepable <= 0) return {0, fmt::format("{} seed(s) are kept already", fossilized)};
    const int now = limits.max_adaptations_per_epoch - (same_boundary ? at_last_step_ : 0);
    if (now <= 0) return {0, "this epoch has had its germinations"};
    if (view.affordable_seeds <= 0) return {0, view.account_shut};
    return {std::min({flying, keepable, now, view.affordable_seeds}), ""};
}

void Admission::germinated(const ControllerView& view) {
    at_last_step_ = last_step_ == view.step ? at_last_step_ + 1 : 1;
    last_step_ = view.step;
}

nlohmann::json Admission::save() const {
    return {{"last_step", last_step_ ? nlohmann::json(*last_step_) : nlohmann::json(nullptr)},
            {"at_last_step", at_last_step_}};
}

Status Admission::restore(const nlohmann::json& state) {
    return restore_guarded("the admission of seeds", [&] {
        const auto& step = state.at("last_step");
        const auto last = step.is_null() ? std::nullopt : std::optional(step.get<std::int64_t>());
        at_last_step_ = state.at("at_last_step").get<int>();
        last_step_ = last;
    });
}

}  // namespace esper::tamiyo
