#if defined(__x86_64__)
#define ESPER_AVX512 __attribute__((target("avx512f,avx512bw,fma")))

#include "esper/engine/kernels/alpha_blend_avx512.h"

namespace esper::execution::blend_detail {

AlphaBlendKernels avx512_kernels() {
    return {"avx512", forward<float>, forward<Bf16>, backward<float>, backward<Bf16>};
}

}  // namespace esper::execution::blend_detail
#endif
