#pragma once

#include <cstdint>

#include "esper/contracts/enums.h"

namespace esper::execution {

/// α as a function of how much of the ramp is behind, 0 … 1 (growth.md, grafting strategies).
/// Monotone from 0 to 1. DRIFT_CONTROLLED rises like SMOOTHSTEP; its pauses are the ramp clock's
/// (RampClock).
double graft_alpha(contracts::GraftingStrategy strategy, double progress);

/// Counts the steps of a ramp. Under DRIFT_CONTROLLED a step whose loss lies more than three
/// standard deviations above its running mean does not count: α waits until the loss has settled.
class RampClock {
  public:
    RampClock() = default;
    RampClock(contracts::GraftingStrategy strategy, std::int64_t steps)
        : strategy_(strategy), steps_(steps) {}
    /// One training step with this loss.
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
