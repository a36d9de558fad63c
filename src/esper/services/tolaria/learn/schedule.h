#pragma once

#include <cstdint>

#include "esper/configs/optimization.h"

namespace esper::tolaria {

/// The learning rate over a run; a pure function of the step, nothing to save.
struct LearningRateSchedule {
    configs::Schedule kind = configs::Schedule::kWarmupConstantCooldown;
    double peak = 1e-3;
    /// Length of the run.
    std::uint64_t total_steps = 1;
    /// Steps of linear rise: step s of them runs at (s + 1) / warmup_steps of the peak.
    std::uint64_t warmup_steps = 0;
    /// Share of the run at its end over which the rate falls linearly towards zero
    /// (warmup_constant_cooldown only).
    double cooldown = 0.2;

    /// First step of the cool-down; total_steps where the kind has none.
    std::uint64_t cooldown_begin() const;
};

/// The rate of step `step`, counted from 0; above 0 for every step of the run, 0 beyond it.
/// Cosine (Loshchilov & Hutter 2017) falls from the end of the warm-up to the end of the run.
double learning_rate(const LearningRateSchedule& schedule, std::uint64_t step);

/// Whether a network may still grow at this step: never in the cool-down, and not behind
/// `stop_share` of the run, which is cut to a half under cosine.
bool may_grow(const LearningRateSchedule& schedule, std::uint64_t step, double stop_share);

/// How much faster than its host a block learns that is `age` steps old: `rate` for its first
/// `steps` steps, then 1.
double newborn_factor(double rate, std::uint64_t steps, std::uint64_t age);

}  // namespace esper::tolaria
