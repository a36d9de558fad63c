#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <vector>

#include "esper/engine/op_list.h"

namespace esper::graph {

/// A recorded list and the facts that rewrites must keep true.
struct RecordedList {
    OpList ops;
    /// Slots that hold the same tensor in every run.
    std::map<std::uint32_t, at::Tensor> persistent;
    /// Slots that the caller fills in every run.
    std::vector<std::uint32_t> inputs;
    /// Slots whose values are returned.
    std::vector<std::uint32_t> outputs;
    /// After the list has run, the slot's gradient is copied into the target.
    struct GradientWrite {
        std::uint32_t slot;
        at::Tensor target;
    };
    std::vector<GradientWrite> gradients;

    /// Number of reads of each slot by calls, outputs and gradient writes.
    std::vector<std::uint32_t> count_reads() const;
    /// Index of the call that defines each slot; -1 for inputs and persistent slots.
    std::vector<std::int64_t> defining_call() const;
};

/// Removes calls that write nothing and whose results are never read.
void remove_dead_calls(RecordedList& list);

/// Whether an operator's result is the same in every run, such as `ones_like`.
bool makes_constant(const c10::OperatorHandle& op);

/// Replaces calls with a constant result by the recorded value, unless it is written to later.
void fold_constants(RecordedList& list, const std::map<std::uint32_t, at::Tensor>& recorded_values);

/// Autograd pads the gradient of each part of a tensor (`select`) with zeros to the full size and
/// adds the padded gradients. When every part has a gradient, this rewrite stacks them instead: the
/// same numbers with a fraction of the memory traffic (queries, keys and values of attention).
void join_selected_gradients(RecordedList& list);

/// Removes views whose result is a tensor that already has a slot, such as a view of a view with
/// the original's shape.
void drop_repeated_views(RecordedList& list);

/// Makes the operator that computes a gradient write it directly into the flat gradient buffer
/// (`mm` → `mm.out`). Removes a cast if the copy into the buffer converts the type anyway.
void write_gradients_in_place(RecordedList& list);

// Fast rewrites use our own kernels (operators/fused_kernels.h), which round differently from the
// recorded operators. `values` has the tensor of each slot while recording; its shape, strides and
// type are the same in every run. Elements have only persistent tensors and constants.
using RecordedValues = std::map<std::uint32_t, at::Tensor>;

/// Fuses BatchNorm of channels-last images with a following addition and ReLU into one operator,
/// forward and backward.
void fuse_batch_norm_relu(RecordedList& list, const RecordedValues& values);

/// Fuses transposition, product, bias and ReLU of small linear layers into one operator, and their
/// backward pass into one that writes both gradients. Large layers keep libtorch's BLAS.
void fuse_small_linear(RecordedList& list, const RecordedValues& values);

/// Computes mean cross-entropy and its gradient in one pass.
void fuse_cross_entropy(RecordedList& list, const RecordedValues& values);

/// Computes causal attention one head at a time. Its gradients are written in the memory order in
/// which the projection's backward pass reads them.
void replace_causal_attention(RecordedList& list, const RecordedValues& values);

/// Computes GELU's tanh form with one exponential.
void replace_gelu(RecordedList& list, const RecordedValues& values);

}  // namespace esper::graph
