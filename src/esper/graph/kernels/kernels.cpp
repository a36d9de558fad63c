#include "esper/graph/kernels/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

// Every function between push and pop is built for the instruction set named there; nothing of the
// standard library is instantiated in between. Built with -ffp-contract=fast (src/esper/
// CMakeLists.txt): a product and a sum are one instruction.

namespace esper::graph::kernels {

namespace baseline {
#define ESPER_VECTOR_BYTES 16
#include "esper/graph/kernels/all_kernels.inc"
#undef ESPER_VECTOR_BYTES
}  // namespace baseline

#if defined(__x86_64__) && !defined(__clang__)
#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
#define ESPER_VECTOR_BYTES 32
#include "esper/graph/kernels/all_kernels.inc"
#undef ESPER_VECTOR_BYTES
}  // namespace avx2
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,prefer-vector-width=512")
namespace avx512 {
#define ESPER_VECTOR_BYTES 64
#include "esper/graph/kernels/all_kernels.inc"
#undef ESPER_VECTOR_BYTES
}  // namespace avx512
#pragma GCC pop_options

Isa best_isa() {
    static const Isa best = [] {
        __builtin_cpu_init();
        const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
        const bool avx512 =
            avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
        if (avx512) return Isa::kAvx512;
        return avx2 ? Isa::kAvx2 : Isa::kBaseline;
    }();
    return best;
}

const Kernels& kernels(Isa isa) {
    switch (std::min(isa, best_isa())) {
        case Isa::kAvx512:
            return avx512::kAll;
        case Isa::kAvx2:
            return avx2::kAll;
        default:
            return baseline::kAll;
    }
}
#else
Isa best_isa() { return Isa::kBaseline; }
const Kernels& kernels(Isa) { return baseline::kAll; }
#endif

}  // namespace esper::graph::kernels
