#pragma once

#include <vector>

#include "esper/program/program.h"

namespace esper::graph {

/// The type of every value (indexed by ValueId), found by running the Program on the `meta` device
/// with `free_size` in place of free sizes, in evaluation mode. Some operators (convolution, relu)
/// have no meta kernel in libtorch itself, only in Python; those run once on the CPU, on tensors
/// without memory of their own.
/// Errors: kShapeMismatch naming the instruction.
Result<std::vector<TensorType>> infer_types(const Program& program, std::int64_t free_size = 1);

/// Whether a gradient can flow in values of this type.
bool is_floating(DType dtype);

}  // namespace esper::graph
