#pragma once

#include <cstdint>
#include <vector>

#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/learn/engine.h"

namespace esper::tolaria {

/// Where training examples are drawn from, for measurements beside the run.
struct ExampleSource {
    const Dataset& dataset;
    std::uint64_t seed = 0;  ///< of the run
    std::int64_t step = 0;   ///< at which is measured: the same step draws the same examples
    std::uint32_t batch_size = 32;
    std::uint32_t train_examples = 0;  ///< drawn from the first so many; 0: all
};

/// Losses on one batch of a variant of the network that the running statistics were gathered in, as
/// if they had been gathered in the variant: batch norms that gather any take the batch's own.
/// Buffers may move; a BufferGuard is the caller's affair. Errors: those of the engine.
Result<PerExample> evaluate_variant(Engine& engine, const graph::ProgramPtr& program,
                                    graph::TensorStore& store,
                                    const std::vector<at::Tensor>& inputs);

/// Batches drawn for one recalibration.
inline constexpr int kRecalibrationBatches = 10;

/// Recomputes the running statistics of every batch norm in `program` as the mean of those of ten
/// training batches (forward passes in training mode), and changes nothing else in the store.
/// Statistics that were gathered in another network do not fit this one (docs/growth.md, "The
/// gate"). Returns the number of examples used; 0 without a batch norm.
/// Errors: those of engine and data; kUnsupported for a norm without a fixed momentum.
Result<std::int64_t> recalibrate(Engine& engine, const graph::ProgramPtr& program,
                                 graph::TensorStore& store, const ExampleSource& source);

}  // namespace esper::tolaria
