#include "esper/engine/memory/own_pages.h"

#include <c10/core/Allocator.h>
#include <sys/mman.h>

namespace esper::graph {

namespace {

// To libtorch's profiler. Negative bytes: freed.
void report(void* address, std::int64_t bytes) {
    if (c10::memoryProfilingEnabled())
        c10::reportMemoryUsageToProfiler(address, bytes, 0, 0, c10::Device(c10::DeviceType::CPU));
}

}  // namespace

OwnPages& OwnPages::all() {
    static auto* pages = new OwnPages;  // tensors may be freed after static objects
    return *pages;
}

void* OwnPages::take(std::size_t bytes) {
    void* address =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED) return nullptr;
    report(address, static_cast<std::int64_t>(bytes));
    const std::lock_guard lock(mutex_);
    pieces_.emplace(address, bytes);
    return address;
}

bool OwnPages::free_piece(void* address) {
    std::size_t bytes = 0;
    {
        const std::lock_guard lock(mutex_);
        const auto found = pieces_.find(address);
        if (found == pieces_.end()) return false;
        bytes = found->second;
        pieces_.erase(found);
    }
    report(address, -static_cast<std::int64_t>(bytes));
    munmap(address, bytes);
    return true;
}

}  // namespace esper::graph
