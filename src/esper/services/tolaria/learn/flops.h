#pragma once

#include <cstdint>

#include "esper/program/cost/cost.h"

namespace esper::tolaria {

/// What a run spends arithmetic on. Not counted anywhere: the loss itself, the optimizer's update
/// and making a batch, which are a small part of a step and depend on no network.
struct Flops {
    double training = 0;      ///< forward and backward of the run's own steps
    double shadows = 0;       ///< the second passes of seeds in a shadow
    double validation = 0;    ///< the validation part, after each epoch
    double test = 0;          ///< the test part, once at the end
    double measuring = 0;     ///< gates, gains of candidates, scales, statistics, telemetry
    double forks = 0;         ///< training of the hosts that never had a seed
    double sampling = 0;      ///< text drawn from the network, and images shown to it
    double recording = 0;     ///< the first pass of each recorded Program, which runs it once
    double precision = 0;     ///< steps that `run.precision: auto` was decided by
    double unattributed = 0;  ///< before a checkpoint of version 1, which kept the sum only

    double total() const {
        return training + shadows + validation + test + measuring + forks + sampling + recording +
               precision + unattributed;
    }
    /// What a run's budget pays for: training and all that growing costs. Not looking at the result
    /// (validation, test, samples), which changes nothing in it.
    double budgeted() const {
        return training + shadows + measuring + forks + recording + precision + unattributed;
    }
    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("training", self.training);
        visit("shadows", self.shadows);
        visit("validation", self.validation);
        visit("test", self.test);
        visit("measuring", self.measuring);
        visit("forks", self.forks);
        visit("sampling", self.sampling);
        visit("recording", self.recording);
        visit("precision", self.precision);
        visit("unattributed", self.unattributed);
    }
};

/// FLOPs of `examples` examples, forward and backward.
inline double training_flops(const graph::Cost& cost, std::int64_t examples) {
    return static_cast<double>(cost.training_flops) * static_cast<double>(examples);
}
/// Forward alone.
inline double forward_flops(const graph::Cost& cost, std::int64_t examples) {
    return static_cast<double>(cost.forward_flops) * static_cast<double>(examples);
}

}  // namespace esper::tolaria
