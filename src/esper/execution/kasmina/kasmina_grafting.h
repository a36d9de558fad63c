#pragma once

#include <cstdint>

#include "esper/contracts/enums.h"

namespace esper::execution {

/// α as a function of the ramp's progress, 0 … 1. Rises monotonically from 0 to 1.
/// DRIFT_CONTROLLED has the values of SMOOTHSTEP; it differs in that RampClock pauses the progress.
double graft_alpha(contracts::GraftingStrategy strategy, double progress);

/// Counts the steps of a ramp. Under DRIFT_CONTROLLED a step whose loss is more than three standard
/// deviations above its running mean does not count, so α waits until the loss is low again.
class RampClock {
  public:
    RampClock() = default;
    RampClock(contracts::GraftingStrategy strategy, std::int64_t steps)
        : strategy_(strategy), steps_(steps) {}
    /// Call after each training step, with its loss.
    void tick(double loss);
    double alpha() const;
    contracts::GraftingStrategy strategy() const { return strategy_; }
    bool is_complete() const { return done_ >= steps_; }

    struct State {
        std::int64_t steps = 0, done = 0, seen = 0;
        double mean = 0, variance = 0;
    };
    State state() const { return {steps_, done_, seen_, mean_, variance_}; }
    void restore(contracts::GraftingStrategy strategy, const State& state);

  private:
    contracts::GraftingStrategy strategy_ = contracts::GraftingStrategy::kSmoothstep;
    std::int64_t steps_ = 0;
    std::int64_t done_ = 0;
    std::int64_t seen_ = 0;
    double mean_ = 0;
    double variance_ = 0;
};

}  // namespace esper::execution
