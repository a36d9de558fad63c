#pragma once

#include <cstdint>

#include "esper/configs/optimization.h"

namespace esper::tolaria {

/// The learning rate over a run: a pure function of the step, without state.
struct LearningRateSchedule {
    configs::Schedule kind = configs::Schedule::kWarmupConstantCooldown;
    double peak = 1e-3;
    /// Length of the run.
    std::uint64_t total_steps = 1;
    /// Number of steps of linear rise; step s of them has (s + 1) / warmup_steps of the peak rate.
    std::uint64_t warmup_steps = 0;
    /// The last share of the run, in which the rate falls linearly towards zero
    /// (warmup_constant_cooldown only).
    double cooldown = 0.2;
    /// Length of the warm-up as a share of the run, where the run has no length in steps (Course).
    double warmup_share = 0;

    /// First step of the cool-down; total_steps for a kind without one.
    std::uint64_t cooldown_begin() const;
};

/// The rate of step `step`, counted from 0: above 0 for every step of the run, 0 after it.
/// Cosine (Loshchilov & Hutter 2017) falls from the end of the warm-up to the end of the run.
double learning_rate(const LearningRateSchedule& schedule, std::uint64_t step);

/// One cycle (Smith & Topin 2018, in PyTorch's two-phase form) as a share of the peak: from 1/25 of
/// it along half a cosine to the peak where `done` is `risen`, then to 1/250,000 of it.
double one_cycle(double done, double risen);
/// Whether the rate falls over most of the run, so that late seeds would learn too little.
bool falls_all_along(configs::Schedule kind);

/// Whether a network may grow at this step: not in the cool-down, and not after `stop_share` of the
/// run (under cosine and one cycle after half of the run at the latest).
bool may_grow(const LearningRateSchedule& schedule, std::uint64_t step, double stop_share);

/// The learning rate of a block relative to the host's, after `age` steps of the block: `rate` for
/// its first `steps` steps, then 1.
double newborn_factor(double rate, std::uint64_t steps, std::uint64_t age);

}  // namespace esper::tolaria
