#pragma once

#include <cstdint>
#include <optional>

#include "esper/configs/checkpoint.h"

namespace esper::tolaria {

/// Tells a loss that jumped from one that is merely noisy: a spike is more than `spike_factor`
/// times the running mean and more than six standard deviations above it, once `spike_window`
/// losses have been seen. Mean and variance are exponential over about that many steps (plain
/// averages until then); a spike does not enter them.
class SpikeDetector {
  public:
    explicit SpikeDetector(const configs::RollbackConfig& config) : config_(config) {}

    struct Spike {
        double loss = 0;
        double mean = 0;
        double deviation = 0;
    };
    std::optional<Spike> take(double loss);

    /// Losses seen, and their running mean and variance; part of a checkpoint.
    struct State {
        std::int64_t seen = 0;
        double mean = 0;
        double variance = 0;

        template <typename Self, typename Visitor>
        static void fields(Self& self, Visitor& visit) {
            visit("seen", self.seen);
            visit("mean", self.mean);
            visit("variance", self.variance);
        }
    };
    const State& state() const { return state_; }
    void restore(const State& state) { state_ = state; }

  private:
    configs::RollbackConfig config_;
    State state_;
};

}  // namespace esper::tolaria
