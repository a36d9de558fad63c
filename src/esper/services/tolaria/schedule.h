#pragma once

#include <cstdint>

#include "esper/configs/optimization.h"

namespace esper::tolaria {

/// Learning rate as a pure function of the step, so that nothing needs saving.
struct ScheduleSpec {
    configs::Schedule kind = configs::Schedule::kWarmupConstantCooldown;
    double peak = 1e-3;
    std::int64_t total_steps = 1;
    std::int64_t warmup_steps = 0;
    /// Length of the final linear fall to zero (warm-up–constant–cool-down only).
    std::int64_t cooldown_steps = 0;
};

/// The rate used by optimizer step `step` (0-based).
double learning_rate(const ScheduleSpec& spec, std::int64_t step);

/// True while the schedule is in its final fall: nothing may germinate there.
bool in_cooldown(const ScheduleSpec& spec, std::int64_t step);

}  // namespace esper::tolaria
