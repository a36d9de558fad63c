#pragma once

#include <cuda_runtime.h>

#include "esper/execution/cuda/device.h"

namespace esper::execution::cuda {

/// The CUDA runtime's return code as a Status.
Status check(cudaError_t code, const char* what);

}  // namespace esper::execution::cuda
