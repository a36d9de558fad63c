#include "esper/engine/kernels/parallel.h"

#include <algorithm>

// The only file built with -fopenmp. It uses libtorch's OpenMP runtime, so the process has one pool
// of threads, and its threads are still awake when our operators follow libtorch's.
extern "C" {
int omp_get_max_threads();
int omp_get_thread_num();
int omp_in_parallel();
}

namespace esper::graph::kernels {

void run_parallel(std::int64_t n, std::int64_t grain,
                  void (*body)(const void* context, std::int64_t begin, std::int64_t end),
                  const void* context) {
    const std::int64_t pieces = (n + grain - 1) / grain;
    const auto threads = std::min<std::int64_t>(omp_get_max_threads(), pieces);
    if (threads <= 1 || omp_in_parallel() != 0) {
        if (n > 0) body(context, 0, n);
        return;
    }
    const std::int64_t share = (pieces + threads - 1) / threads * grain;
#pragma omp parallel
    {
        const std::int64_t begin = omp_get_thread_num() * share;
        if (begin < n) body(context, begin, std::min(n, begin + share));
    }
}

}  // namespace esper::graph::kernels
