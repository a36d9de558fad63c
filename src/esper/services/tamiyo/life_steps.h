#pragma once

#include <cstdint>

#include "esper/configs/growth.h"

namespace esper::tamiyo {

/// The run's lengths, which convert durations to steps, and its seed for random numbers.
struct RunShape {
    std::uint64_t seed = 0;
    std::int64_t steps_per_epoch = 1;
    std::int64_t total_steps = 1;
    /// Weight of the newest epoch in the slots' moving averages (telemetry.health_ema).
    double health_ema = 0.1;
};

/// A duration in optimizer steps. 0 for a duration in seconds or minutes; the configuration refuses
/// those for keys that are converted here.
std::int64_t steps_of(const configs::Duration& duration, const RunShape& run);

/// Steps of the α ramp: growth.graft_steps, or the larger of 300 and 3 % of the run.
std::int64_t graft_steps(const configs::GrowthConfig& growth, std::int64_t total_steps);

/// The lengths of the stages of a seed's life in optimizer steps.
struct LifeSteps {
    std::int64_t training = 0;
    std::int64_t graft = 0;
    std::int64_t stabilization = 0;
    std::int64_t fine_tune = 0;
    std::int64_t embargo = 0;
    std::int64_t gate_budget = 0;
    std::int64_t gate_lag = 0;

    /// Steps from germination to the last gate if no gate returns hold.
    std::int64_t whole() const { return training + graft + stabilization + fine_tune; }
};
LifeSteps life_steps(const configs::GrowthConfig& growth, const RunShape& run);

}  // namespace esper::tamiyo
