#pragma once

#include <cstdint>

namespace esper::graph::kernels {

/// Splits [0, n) into one range per thread of libtorch's pool (at::set_num_threads) and calls
/// `body(context, begin, end)` for each. Ranges have at least `grain` elements, except the last; if
/// n is too small for two, the calling thread does everything. `body` must not throw.
void run_parallel(std::int64_t n, std::int64_t grain,
                  void (*body)(const void* context, std::int64_t begin, std::int64_t end),
                  const void* context);

template <typename Body>
void parallel_for(std::int64_t n, std::int64_t grain, const Body& body) {
    run_parallel(
        n, grain,
        [](const void* context, std::int64_t begin, std::int64_t end) {
            (*static_cast<const Body*>(context))(begin, end);
        },
        &body);
}

}  // namespace esper::graph::kernels
