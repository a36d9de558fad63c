#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <vector>

#include "esper/engine/op_list.h"

namespace esper::graph {

/// A recorded list on its way to being run, with what rewrites must respect.
struct RecordedList {
    OpList ops;
    /// Slots that hold the same tensor in every run.
    std::map<std::uint32_t, at::Tensor> persistent;
    /// Slots filled by the caller in every run.
    std::vector<std::uint32_t> inputs;
    /// Slots whose values leave the list.
    std::vector<std::uint32_t> outputs;
    /// Where each gradient must end up: after the list has run, slot → copied into target.
    struct GradientWrite {
        std::uint32_t slot;
        at::Tensor target;
    };
    std::vector<GradientWrite> gradients;

    /// How many reads each slot has, by calls, outputs and gradient writes.
    std::vector<std::uint32_t> count_reads() const;
    /// The index of the call that defines each slot; -1 for inputs and persistent ones.
    std::vector<std::int64_t> defining_call() const;
};

/// Drops calls whose results nobody reads and that write nothing.
void remove_dead_calls(RecordedList& list);

/// Runs calls such as `ones_like` whose result never varies once, now, if nobody writes to it.
void fold_constants(RecordedList& list, const std::map<std::uint32_t, at::Tensor>& recorded_values);

/// Autograd pads the gradient of each part of a tensor (`select`) with zeros to the whole's size
/// and adds them up; where every part has one, they are stacked instead. The same numbers, with a
/// fraction of the memory traffic: queries, keys and values of attention.
void join_selected_gradients(RecordedList& list);

/// Drops calls that only make again a tensor that is already in its slot: views of views back to
/// where they came from.
void drop_repeated_views(RecordedList& list);

/// Lets the operator that makes a gradient write it straight into the flat gradient buffer
/// (`mm` → `mm.out`), and leaves out a cast that the copy into the buffer does anyway.
void write_gradients_in_place(RecordedList& list);

// Fast rewrites, with kernels of our own (kernels/operators.h). They round differently from what
// was recorded. `values` holds what each slot held while recording: shapes, strides and types are
// the same in every run.
using RecordedValues = std::map<std::uint32_t, at::Tensor>;

/// BatchNorm of channels-last images, an addition and ReLU behind it as one operator, forward and
/// backward.
void fuse_batch_norm_relu(RecordedList& list, const RecordedValues& values);

/// Small linear layers: transposition, product, bias and ReLU as one operator forward, and one
/// backward that writes both gradients where they belong. Large ones stay with libtorch's BLAS.
void fuse_small_linear(RecordedList& list, const RecordedValues& values);

/// Mean cross-entropy and its gradient in one pass.
void fuse_cross_entropy(RecordedList& list, const RecordedValues& values);

/// Causal attention a head at a time, its gradients written in the order the projection reads.
void replace_causal_attention(RecordedList& list, const RecordedValues& values);

/// GELU's tanh form with one exponential.
void replace_gelu(RecordedList& list, const RecordedValues& values);

}  // namespace esper::graph
