#include "esper/engine/kernels/isa.h"

#include "esper/base/processor.h"

namespace esper::vector {

#if defined(__x86_64__)
Isa best_isa() {
    static const Isa best = [] {
        __builtin_cpu_init();
        if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
            return Isa::kBaseline;
        const bool avx512 =
            __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
        return avx512 ? Isa::kAvx512 : Isa::kAvx2;
    }();
    return best;
}

bool has_bf16_products() { return best_isa() == Isa::kAvx512 && has_avx512_bf16(); }
#else
Isa best_isa() { return Isa::kBaseline; }
bool has_bf16_products() { return false; }
#endif

}  // namespace esper::vector
