#include <algorithm>

#include "esper/engine/kernels/kernel_sets.h"

namespace esper::graph::kernels {

#if defined(__x86_64__) && !defined(__clang__)
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
const Kernels& kernels(Isa) { return kBaselineKernels; }
#endif

}  // namespace esper::graph::kernels
