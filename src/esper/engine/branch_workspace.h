#pragma once

#include <cstdint>

#include "esper/kernel_abi.h"

namespace esper::graph {

/// Bytes of the workspace of one call with so many rows, on this thread's number of libtorch's
/// threads.
std::int64_t workspace_bytes(const EsperKernelInfo& info, std::int64_t rows);

}  // namespace esper::graph
