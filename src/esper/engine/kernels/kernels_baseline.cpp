#include <algorithm>
#include <cmath>
#include <cstring>

#include "esper/engine/kernels/kernel_sets.h"

// Built with -ffp-contract=fast (src/esper/
// CMakeLists.txt): a product and a sum are one instruction.

namespace esper::graph::kernels {

namespace baseline {
#define ESPER_VECTOR_BYTES 16
#include "esper/engine/kernels/all_kernels.inc"
#undef ESPER_VECTOR_BYTES
}  // namespace baseline

const Kernels kBaselineKernels = baseline::kAll;

}  // namespace esper::graph::kernels
