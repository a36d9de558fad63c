#include <algorithm>
#include <cmath>
#include <cstring>

#include "esper/engine/kernels/kernel_sets.h"

// Everything between push and pop is built for the instruction set named there; nothing of the
// standard library is instantiated in between. Built with -ffp-contract=fast (src/esper/
// CMakeLists.txt): a product and a sum are one instruction.

#if defined(__x86_64__) && !defined(__clang__)
namespace esper::graph::kernels {

#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
#define ESPER_VECTOR_BYTES 32
#include "esper/engine/kernels/all_kernels.inc"
#undef ESPER_VECTOR_BYTES
}  // namespace avx2
#pragma GCC pop_options

const Kernels kAvx2Kernels = avx2::kAll;

}  // namespace esper::graph::kernels
#endif
