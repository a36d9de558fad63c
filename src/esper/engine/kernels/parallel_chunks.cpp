#include "esper/engine/kernels/parallel_chunks.h"

#include <algorithm>
#include <atomic>
#include <memory>

namespace esper::tolaria {
namespace {

// Shared with the workers, because a worker may start after the caller has returned.
struct Round {
    std::size_t chunks = 0;
    std::atomic<std::size_t> next{0};
    std::atomic<std::size_t> done{0};
};

}  // namespace

void for_chunks(std::size_t n, std::size_t chunk_size, ThreadPool* pool,
                const std::function<void(std::size_t, std::size_t, std::size_t)>& work) {
    const std::size_t chunks = (n + chunk_size - 1) / chunk_size;
    const auto run_chunk = [&work, n, chunk_size](std::size_t chunk) {
        const std::size_t begin = chunk * chunk_size;
        work(chunk, begin, std::min(n, begin + chunk_size));
    };
    if (pool == nullptr || chunks < 2) {
        for (std::size_t chunk = 0; chunk < chunks; ++chunk) run_chunk(chunk);
        return;
    }
    const auto round = std::make_shared<Round>();
    round->chunks = chunks;
    // `run_chunk` is used only by a thread that holds a chunk; then the caller is still waiting.
    const auto take_all = [round, &run_chunk] {
        while (true) {
            const std::size_t chunk = round->next.fetch_add(1);
            if (chunk >= round->chunks) return;
            run_chunk(chunk);
            if (round->done.fetch_add(1) + 1 == round->chunks) round->done.notify_all();
        }
    };
    const std::size_t helpers = std::min<std::size_t>(pool->size(), chunks - 1);
    for (std::size_t i = 0; i < helpers; ++i) pool->post(take_all);
    take_all();
    for (std::size_t done = round->done.load(); done < chunks; done = round->done.load()) {
        round->done.wait(done);
    }
}

}  // namespace esper::tolaria
