#include "esper/services/tamiyo/life_steps.h"

#include <algorithm>
#include <cmath>

namespace esper::tamiyo {

using configs::GraftingStrategy;

std::int64_t steps_of(const configs::Duration& duration, const RunShape& run) {
    return duration.steps(run.steps_per_epoch, run.total_steps).value_or(0);
}

std::int64_t graft_steps(const configs::GrowthConfig& growth, std::int64_t total_steps) {
    if (growth.strategy == GraftingStrategy::kInstant) return 0;
    if (growth.graft_steps > 0) return growth.graft_steps;
    return std::max<std::int64_t>(300, std::llround(0.03 * static_cast<double>(total_steps)));
}

LifeSteps life_steps(const configs::GrowthConfig& growth, const RunShape& run) {
    return {.training = steps_of(growth.training, run),
            .graft = graft_steps(growth, run.total_steps),
            .stabilization = steps_of(growth.stabilization, run),
            .fine_tune = steps_of(growth.fine_tune, run),
            .embargo = steps_of(growth.embargo, run),
            .gate_budget = steps_of(growth.gate.budget, run),
            .gate_lag = steps_of(growth.gate.lag, run)};
}

}  // namespace esper::tamiyo
