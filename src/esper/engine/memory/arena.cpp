#include "esper/engine/memory/arena.h"

#include <sys/mman.h>

namespace esper::graph {

namespace {

// More threads than this that train at the same time: the others take their memory piece by piece.
constexpr std::size_t kMost = 8;
constexpr std::size_t kPage = std::size_t{2} << 20;

void unmap(Arena& arena) {
    if (arena.begin != nullptr) munmap(arena.begin, arena.bytes);
    arena.begin = nullptr;
    arena.bytes = 0;
}

bool map(Arena& arena, std::size_t bytes) {
    unmap(arena);
    const auto rounded = (bytes + kPage - 1) / kPage * kPage;
    void* memory =
        mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    madvise(memory, rounded, MADV_HUGEPAGE);  // without it the memory is slower, not wrong
    arena.begin = static_cast<std::byte*>(memory);
    arena.bytes = rounded;
    return true;
}

bool is_unused(const Arena& arena) { return !arena.taken && arena.pieces == 0; }

}  // namespace

Arenas& Arenas::all() {
    static auto* arenas = new Arenas;  // tensors may be freed after static objects
    return *arenas;
}

Arena* Arenas::take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    Arena* fitting = nullptr;
    Arena* largest = nullptr;
    for (const auto& arena : arenas_) {
        if (!is_unused(*arena)) continue;
        if (arena->bytes >= bytes && (fitting == nullptr || arena->bytes < fitting->bytes))
            fitting = arena.get();
        if (largest == nullptr || arena->bytes > largest->bytes) largest = arena.get();
    }
    if (fitting == nullptr) {
        if (largest == nullptr && arenas_.size() < kMost)
            largest = arenas_.emplace_back(std::make_unique<Arena>()).get();
        if (largest == nullptr || !map(*largest, bytes)) return nullptr;
        fitting = largest;
    }
    fitting->taken = true;
    return fitting;
}

void Arenas::give_back(Arena* arena) {
    const std::lock_guard lock(mutex_);
    arena->taken = false;
}

void Arenas::drop_unused() {
    const std::lock_guard lock(mutex_);
    for (const auto& arena : arenas_)
        if (is_unused(*arena)) unmap(*arena);
}

std::size_t Arenas::bytes() {
    const std::lock_guard lock(mutex_);
    std::size_t sum = 0;
    for (const auto& arena : arenas_) sum += arena->bytes;
    return sum;
}

bool Arenas::free_piece(const void* address) {
    const std::lock_guard lock(mutex_);
    for (const auto& arena : arenas_)
        if (arena->holds(address)) {
            --arena->pieces;
            return true;
        }
    return false;
}

}  // namespace esper::graph
