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
#pragma GCC target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,prefer-vector-width=512")
namespace avx512 {
#define ESPER_VECTOR_BYTES 64
#include "esper/engine/kernels/all_kernels.inc"
#undef ESPER_VECTOR_BYTES
}  // namespace avx512
#pragma GCC pop_options

const Kernels kAvx512Kernels = avx512::kAll;

}  // namespace esper::graph::kernels
#endif
