#pragma once

#include <cstddef>
#include <functional>

#include "esper/base/thread_pool.h"

namespace esper::tolaria {

/// Calls `work(chunk, begin, end)` once for each stretch of `chunk_size` elements out of `n`, in
/// the calling thread and, where there is a pool and more than one chunk, its workers. Which thread
/// takes which chunk is open; what a chunk is, is not. Returns when all are done; may be called
/// from a worker of the same pool. `work` must not throw.
void for_chunks(std::size_t n, std::size_t chunk_size, ThreadPool* pool,
                const std::function<void(std::size_t, std::size_t, std::size_t)>& work);

}  // namespace esper::tolaria
