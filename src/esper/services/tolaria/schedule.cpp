#include "esper/services/tolaria/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace esper::tolaria {

double learning_rate(const ScheduleSpec& spec, std::int64_t step) {
    const auto at = static_cast<double>(step);
    if (step < spec.warmup_steps)
        return spec.peak * (at + 1) / static_cast<double>(spec.warmup_steps);
    if (spec.kind == configs::Schedule::kConstant) return spec.peak;
    if (spec.kind == configs::Schedule::kCosine) {
        const auto span = static_cast<double>(std::max<std::int64_t>(1, spec.total_steps - spec.warmup_steps));
        const double share = (at - static_cast<double>(spec.warmup_steps)) / span;
        return spec.peak * 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, share)));
    }
    const auto left = spec.total_steps - step;
    if (left >= spec.cooldown_steps) return spec.peak;
    return spec.peak * static_cast<double>(std::max<std::int64_t>(left, 0)) /
           static_cast<double>(spec.cooldown_steps);
}

bool in_cooldown(const ScheduleSpec& spec, std::int64_t step) {
    return spec.kind == configs::Schedule::kWarmupConstantCooldown &&
           spec.total_steps - step < spec.cooldown_steps;
}

}  // namespace esper::tolaria
