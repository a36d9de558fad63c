#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "esper/configs/optimization.h"
#include "esper/engine/tensor_store.h"

namespace esper::tolaria {

/// The settings for one block in one step.
struct BlockSettings {
    bool frozen = false;
    /// Learning rate relative to the host's.
    double rate = 1.0;
    bool weight_decay = true;
    /// Blocks of one group share one gradient norm for clipping. A seed in isolation has its own
    /// group, so that its gradient does not change the host's step.
    int clip_group = 0;
};

/// SGD with Nesterov momentum (Sutskever et al., ICML 2013, in PyTorch's form) or AdamW (Loshchilov
/// & Hutter, ICLR 2019, algorithm 2), in one pass over each flat block. Each block has its own
/// state and step count, so adding or removing a block does not change the others.
class Optimizer {
  public:
    explicit Optimizer(const configs::OptimizationConfig& config) : config_(config) {}

    struct Report {
        double gradient_norm = 0;  ///< of clip group 0, before clipping
        /// Blocks with NaN or infinity in their gradient. If there are any, no step was made.
        std::vector<std::string> not_finite;
    };

    /// The norm of a flat tensor.
    static double norm(const at::Tensor& flat);

    /// Makes one step at learning rate `rate`, or none if a gradient is not finite.
    Report step(graph::TensorStore& store, double rate,
                const std::function<BlockSettings(const std::string&)>& settings);

    struct BlockState {
        std::int64_t steps = 0;
        at::Tensor first;   ///< momentum, or AdamW's first moment
        at::Tensor second;  ///< AdamW's second moment; undefined for SGD
    };
    const std::map<std::string, BlockState>& state() const { return state_; }
    void set_state(std::map<std::string, BlockState> state) { state_ = std::move(state); }
    void put(const std::string& block, BlockState state) { state_[block] = std::move(state); }
    void forget(const std::string& block) { state_.erase(block); }
    std::map<std::string, BlockState> clone_state() const;

  private:
    configs::OptimizationConfig config_;
    std::map<std::string, BlockState> state_;
};

}  // namespace esper::tolaria
