#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

#include "esper/engine/tensor_store.h"
#include "esper/services/tolaria/learn/saved_learner.h"

namespace esper::tolaria {

/// A running mean of a network's weights and of its running statistics, as
/// torch.optim.swa_utils.AveragedModel keeps with get_ema_multi_avg_fn(decay) and use_buffers: a
/// copy after the first step, then mean ← decay·mean + (1 - decay)·weights after each. It begins
/// anew when the network changes, because an edit may change what a weight means (a block that is
/// split is halved).
class WeightMean {
  public:
    /// A decay of 0 keeps none.
    explicit WeightMean(double decay) : decay_(decay) {}

    /// After each step.
    void take(const graph::ProgramPtr& program, const graph::TensorStore& store);

    /// While it lives, the store holds the mean instead of the weights. Nothing happens where there
    /// is no mean of these weights.
    class Shown {
      public:
        Shown(const WeightMean& mean, graph::TensorStore& store);
        ~Shown();
        Shown(const Shown&) = delete;
        Shown& operator=(const Shown&) = delete;

      private:
        graph::TensorStore& store_;
        Tensors kept_;
    };

    /// Tensors `mean.block.<name>` and `mean.buffer.<name>` of a checkpoint.
    void save(Tensors& tensors) const;
    /// Nothing is taken over where the mean is off, or the checkpoint has none.
    void restore(const graph::ProgramPtr& program, const Tensors& tensors);
    /// Puts a checkpoint's mean, if it has one, in the place of the weights.
    static void put_into(graph::TensorStore& store, const Tensors& tensors);

  private:
    double decay_;
    graph::ProgramPtr program_;
    Tensors mean_;  ///< by their names in a checkpoint
};

}  // namespace esper::tolaria
