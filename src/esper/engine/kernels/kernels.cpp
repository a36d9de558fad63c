#include <algorithm>

#include "esper/engine/kernels/kernel_sets.h"

namespace esper::graph::kernels {

#if defined(__x86_64__) && !defined(__clang__)
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
            return kAvx512Kernels;
        case Isa::kAvx2:
            return kAvx2Kernels;
        default:
            return kBaselineKernels;
    }
}
#else
Isa best_isa() { return Isa::kBaseline; }
const Kernels& kernels(Isa) { return kBaselineKernels; }
#endif

}  // namespace esper::graph::kernels
