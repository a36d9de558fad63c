#pragma once

#include <cstdint>

#include "esper/engine/branch_kernel.h"
#include "esper/engine/operators/operator_library.h"

namespace esper::graph {

/// `esper::branch_kernel` with its gradient, and the two calls that a recording of it consists of.
void define_branch_kernels(torch::Library& library);
void implement_branch_kernels(torch::Library& cpu);

/// The number by which recorded calls name a kernel in this process; the same kernel has the same
/// number as long as somebody holds it. Thread-safe.
std::int64_t number_of_kernel(const BranchKernelPtr& kernel);

}  // namespace esper::graph
