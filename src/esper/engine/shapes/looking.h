#pragma once
// Looking at a Program: operators are called for the shapes of their results alone.

#include <ATen/core/Tensor.h>
#include <ATen/core/boxing/KernelFunction.h>
#include <ATen/core/operator_name.h>
#include <c10/core/DispatchKeySet.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <unordered_map>

#include "esper/program/types.h"

namespace esper::graph {

/// While one lives, every operator that its thread calls, and every operator that those call, gives
/// tensors of the meta device: they have shapes and no memory. Where libtorch has no meta kernel
/// outside of Python, one of meta_kernels.h stands in; a new tensor goes to the meta device
/// whatever its device argument says.
class Looking {
  public:
    Looking();
    Looking(const Looking&) = delete;
    Looking& operator=(const Looking&) = delete;

  private:
    c10::impl::IncludeDispatchKeyGuard include_;
};

/// Shapes for operators that libtorch computes them for in Python only, and refusals of calls that
/// would make more tensors than a Program may have; by operator.
const std::unordered_map<c10::OperatorName, c10::KernelFunction>& meta_kernels();

/// A tensor without memory. Errors (as c10::Error): more than Limits::kMaxElements elements.
at::Tensor meta_tensor(at::IntArrayRef sizes, at::ScalarType dtype);

}  // namespace esper::graph
