#pragma once
// Converts between our types and libtorch's. Differences between libtorch versions belong here.

#include <ATen/core/ivalue.h>
#include <c10/core/MemoryFormat.h>
#include <c10/core/ScalarType.h>

#include "esper/program/constant.h"

namespace esper::graph {

at::ScalarType to_scalar_type(DType dtype);
/// Error: kShapeMismatch for an element type that a Program cannot hold.
Result<DType> from_scalar_type(at::ScalarType type);
at::MemoryFormat to_memory_format(MemoryFormat format);

/// A constant as an IValue. `training` is the value of the training flag.
c10::IValue to_ivalue(const Constant& constant, bool training);

}  // namespace esper::graph
