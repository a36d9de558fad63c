#pragma once

#include "esper/engine/tensor_store.h"
#include "esper/program/program.h"

namespace esper::tolaria {

/// Fault points of seeds, so that what a broken branch does can be brought about in any run
/// (ESPER_FAULTS). Passed once a training pass over a Program that has seeds; they act on the last
/// seed of it:
///   seed.throw         an operator of the branch throws
///   seed.nan_output    the branch's parameters become NaN, and so does all that comes out of it
///   seed.nan_gradient  its gradient becomes NaN, and the host's too where it is blended in
/// Before the pass. Errors: GraphError::kExecution when seed.throw fires.
Status pass_seed_faults(const graph::Program& program, graph::TensorStore& store);
/// After it.
void spoil_gradients(const graph::Program& program, graph::TensorStore& store);

}  // namespace esper::tolaria
