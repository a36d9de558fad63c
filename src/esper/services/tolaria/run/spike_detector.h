#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
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

    nlohmann::json save() const;
    void restore(const nlohmann::json& state);

  private:
    configs::RollbackConfig config_;
    std::int64_t seen_ = 0;
    double mean_ = 0;
    double variance_ = 0;
};

}  // namespace esper::tolaria
