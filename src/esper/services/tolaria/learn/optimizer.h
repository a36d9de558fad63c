#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "esper/configs/optimization.h"
#include "esper/engine/tensor_store.h"

namespace esper::tolaria {

/// What the trainer wants done with one block in one step.
struct BlockSettings {
    bool frozen = false;
    /// Learning rate against the host's.
    double rate = 1.0;
    bool weight_decay = true;
    /// Blocks of one group share one gradient norm for clipping. A seed in isolation has a group of
    /// its own, or its gradient would change the host's step.
    int clip_group = 0;
};

/// SGD with Nesterov momentum (Sutskever et al., ICML 2013, in PyTorch's form) or AdamW (Loshchilov
/// & Hutter, ICLR 2019, algorithm 2), one pass over each flat block. State belongs to a block, with
/// its own step count: a block that comes or goes leaves the others as they are.
class Optimizer {
  public:
    explicit Optimizer(const configs::OptimizationConfig& config) : config_(config) {}

    struct Report {
        double gradient_norm = 0;  ///< of clip group 0, before clipping
        /// Blocks whose gradient holds NaN or infinity; if there are any, nothing has moved.
        std::vector<std::string> not_finite;
    };

    /// Norms of all blocks, without a step. Errors: none.
    static double norm(const at::Tensor& flat);

    /// One step at learning rate `rate`, or none at all where a gradient is not finite.
    Report step(graph::TensorStore& store, double rate,
                const std::function<BlockSettings(const std::string&)>& settings);

    struct BlockState {
        std::int64_t steps = 0;
        at::Tensor first;   ///< momentum, or AdamW's first moment
        at::Tensor second;  ///< AdamW's second moment; undefined for SGD
    };
    const std::map<std::string, BlockState>& state() const { return state_; }
    void set_state(std::map<std::string, BlockState> state) { state_ = std::move(state); }
    void forget(const std::string& block) { state_.erase(block); }
    std::map<std::string, BlockState> clone_state() const;

  private:
    configs::OptimizationConfig config_;
    std::map<std::string, BlockState> state_;
};

}  // namespace esper::tolaria
