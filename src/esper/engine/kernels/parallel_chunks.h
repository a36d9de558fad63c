#pragma once

#include <cstddef>
#include <functional>

#include "esper/base/thread_pool.h"

namespace esper::tolaria {

/// Calls `work(chunk, begin, end)` once for each chunk of `chunk_size` out of `n` elements. The
/// calling thread and, if there is a pool and more than one chunk, its workers take the chunks in
/// any order; the chunks themselves are always the same. Returns when all calls are done. May be
/// called from a worker of the same pool. `work` must not throw.
void for_chunks(std::size_t n, std::size_t chunk_size, ThreadPool* pool,
                const std::function<void(std::size_t, std::size_t, std::size_t)>& work);

}  // namespace esper::tolaria
