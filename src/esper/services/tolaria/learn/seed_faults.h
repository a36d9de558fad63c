#pragma once

#include "esper/engine/tensor_store.h"
#include "esper/program/program.h"

namespace esper::tolaria {

/// Fault points that make a seed fail in any run (ESPER_FAULTS). Each training pass over a Program
/// with seeds passes them once; they act on its last seed:
///   seed.throw         an operator of the branch throws
///   seed.nan_output    the branch's parameters become NaN, and therefore its output
///   seed.nan_gradient  its gradient becomes NaN, and the host's, too, if the seed is blended in
/// Call before the pass. Error: GraphError::kExecution when seed.throw fires.
Status pass_seed_faults(const graph::Program& program, graph::TensorStore& store);
/// Call after the pass.
void spoil_gradients(const graph::Program& program, graph::TensorStore& store);

}  // namespace esper::tolaria
