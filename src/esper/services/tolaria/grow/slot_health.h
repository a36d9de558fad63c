#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "esper/services/tamiyo/view.h"

namespace esper::tolaria {

/// What flowed at the slots of a run in the sampled steps since the last epoch's end: one fused
/// pass over each activation and its gradient. What was never sampled is not measured, not zero.
class SlotHealth {
  public:
    SlotHealth(std::int64_t every, std::size_t slots) : every_(every), slots_(slots) {}

    /// Steps are sampled `every` so many, the first one late, so that a run starts quickly.
    bool is_sampled(std::int64_t step) const { return (step + 1) % every_ == 0; }

    /// One sample of a slot: the anchor's value [N, C, H, W], [N, D] or [N, T, D] and the loss's
    /// gradient there (undefined: not known), of which the slot has `features` features from
    /// `first_feature` on.
    void add(std::size_t slot, const at::Tensor& value, const at::Tensor& gradient,
             std::int64_t first_feature, std::int64_t features);

    /// Means over the samples.
    tamiyo::SlotSignals signals(std::size_t slot) const;
    std::int64_t samples(std::size_t slot) const { return slots_.at(slot).samples; }
    /// From now on there are so many slots; nothing is known of those that are added.
    void extend(std::size_t slots) { slots_.resize(slots); }
    /// A new epoch begins.
    void reset();

    /// What was sampled of one slot; part of a checkpoint.
    struct Sums {
        std::int64_t samples = 0;
        double variance = 0;
        double dead = 0;
        std::int64_t gradients = 0;
        double gradient_norm = 0;

        template <typename Self, typename Visitor>
        static void fields(Self& self, Visitor& visit) {
            visit("samples", self.samples);
            visit("variance", self.variance);
            visit("dead", self.dead);
            visit("gradients", self.gradients);
            visit("gradient_norm", self.gradient_norm);
        }
    };
    const std::vector<Sums>& sums() const { return slots_; }
    /// Sums of as many slots as there are; others are left alone.
    void restore(const std::vector<Sums>& sums) {
        if (sums.size() == slots_.size()) slots_ = sums;
    }

  private:
    std::int64_t every_;
    std::vector<Sums> slots_;
};

}  // namespace esper::tolaria
