#pragma once
// The one place where our names and the installed libtorch's names meet.

#include <ATen/core/ivalue.h>
#include <c10/core/MemoryFormat.h>
#include <c10/core/ScalarType.h>

#include "esper/program/constant.h"

namespace esper::graph {

at::ScalarType to_scalar_type(DType dtype);
/// Errors: kShapeMismatch for element types a Program cannot hold.
Result<DType> from_scalar_type(at::ScalarType type);
at::MemoryFormat to_memory_format(MemoryFormat format);

/// A constant as an IValue; `training` resolves the training flag.
c10::IValue to_ivalue(const Constant& constant, bool training);

}  // namespace esper::graph
