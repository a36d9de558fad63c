#pragma once

#include <vector>

#include "esper/program/program.h"

namespace esper::graph {

/// The type of every value (indexed by ValueId), with `free_size` in place of free sizes, in
/// evaluation mode. Executes nothing: no operator sees memory, no result is allocated. What depends
/// on data has the shape that it has for zeros (`nonzero` finds nothing). The engine provides it
/// (schemas.h).
/// Errors: kShapeMismatch and kTooLarge naming the instruction, kForbiddenOperator;
/// SchemaError::kNoEngine where no engine is linked.
Result<std::vector<TensorType>> infer_types(const Program& program, std::int64_t free_size = 1);

/// Whether a gradient can flow in values of this type.
bool is_floating(DType dtype);

}  // namespace esper::graph
