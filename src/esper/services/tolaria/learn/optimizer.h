#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "esper/configs/optimization.h"
#include "esper/configs/parameter_group.h"
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

/// SGD with Nesterov momentum (Sutskever et al., ICML 2013, in PyTorch's form), AdamW (Loshchilov &
/// Hutter, ICLR 2019, algorithm 2), Lion (Chen et al. 2023) or Muon (muon.h), in one pass over each
/// flat block. Each block has its own state and step count, so adding or removing a block does not
/// change the others.
class Optimizer {
  public:
    explicit Optimizer(const configs::OptimizationConfig& config);

    struct Report {
        double gradient_norm = 0;  ///< of clip group 0, before clipping
        /// Blocks with NaN or infinity in their gradient. If there are any, no step was made.
        std::vector<std::string> not_finite;
    };

    /// The norm of a flat tensor.
    static double norm(const at::Tensor& flat);

    /// Makes one step at learning rate `rate`, or none if a gradient is not finite. `program` says
    /// which parameters are matrices inside the network, for Muon, and in which layer each is.
    Report step(graph::TensorStore& store, double rate,
                const std::function<BlockSettings(const std::string&)>& settings,
                const graph::ProgramPtr& program);

    struct BlockState {
        std::int64_t steps = 0;
        at::Tensor first;   ///< momentum, or AdamW's first moment
        at::Tensor second;  ///< AdamW's second moment; undefined for SGD and Lion
    };
    const std::map<std::string, BlockState>& state() const { return state_; }
    void set_state(std::map<std::string, BlockState> state) { state_ = std::move(state); }
    void put(const std::string& block, BlockState state) { state_[block] = std::move(state); }
    void forget(const std::string& block) { state_.erase(block); }
    std::map<std::string, BlockState> clone_state() const;

  private:
    /// Neighbouring parameters of a block that are moved alike.
    struct Stretch {
        std::int64_t begin = 0;
        std::int64_t end = 0;
        double rate = 1;   ///< relative to the block's
        double decay = 0;  ///< of the weights, where the block has any
        const graph::TensorBlock::Entry* matrix = nullptr;  ///< one that Muon moves
    };
    /// What groups, layers and shapes say of one parameter.
    struct Treatment {
        double rate = 1;
        double decay = 0;
        bool operator==(const Treatment&) const = default;
    };
    bool moves_all_alike() const;
    Treatment treatment_of(const graph::TensorBlock::Entry& entry);
    std::vector<Stretch> stretches_of(const graph::TensorBlock& block);
    void move(const graph::TensorBlock& block, const Stretch& stretch, BlockState& state,
              double rate, double decay, double scale) const;

    configs::OptimizationConfig config_;
    std::map<std::string, BlockState> state_;
    std::vector<configs::ParameterGroup> groups_;
    graph::ProgramPtr program_;                                 ///< what follows is of it
    std::map<std::string, double, std::less<>> layers_;         ///< layer_rates()
    std::map<std::string, Treatment, std::less<>> treatments_;  ///< of parameters seen so far
    std::set<std::string, std::less<>> matrices_;  ///< inner_matrices() of that Program
};

}  // namespace esper::tolaria
