#pragma once
// Configurations of runs in which seeds live for a few epochs, for tests and benchmarks.

#include "esper/configs/controller.h"
#include "esper/configs/growth.h"
#include "esper/services/tamiyo/life_steps.h"

namespace esper::tamiyo {

/// A run of 60 epochs of ten steps with short lives: training 20 steps, graft 20, stabilization 10,
/// fine-tuning 20, gate budget 40, lag 15, embargo 30, cooldown 10.
inline RunShape short_run(std::uint64_t seed = 1) {
    return {.seed = seed, .steps_per_epoch = 10, .total_steps = 600};
}
inline configs::GrowthConfig short_lives() {
    using configs::Duration;
    configs::GrowthConfig growth;
    growth.graft_steps = 20;
    growth.training = Duration::epochs(2);
    growth.stabilization = Duration::epochs(1);
    growth.fine_tune = Duration::epochs(2);
    growth.cooldown = Duration::epochs(1);
    growth.embargo = Duration::epochs(3);
    growth.gate.budget = Duration::epochs(4);
    growth.gate.lag = Duration::batches(15);
    return growth;
}
inline configs::ControllerConfig with_policy(configs::Policy policy) {
    configs::ControllerConfig config;
    config.policy = policy;
    return config;
}

}  // namespace esper::tamiyo
