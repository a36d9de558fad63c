#pragma once

#include "esper/engine/kernels/kernels.h"

namespace esper::graph::kernels {

// One set per instruction set, each built in a file of its own; see kernels().
extern const Kernels kBaselineKernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;

}  // namespace esper::graph::kernels
