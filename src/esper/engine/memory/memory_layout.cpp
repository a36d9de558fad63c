#include "esper/engine/memory/memory_layout.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace esper::graph {

namespace {

// Of libtorch's own allocations.
constexpr std::size_t kPieceAlignment = 64;
// Pieces of 2ⁿ bytes would all begin at the same place of a page, and an operator that reads one
// and writes another would meet itself in the same lines of the cache.
constexpr std::size_t kStagger = 3 * kPieceAlignment;

std::size_t padded(std::size_t bytes) {
    return (bytes + kPieceAlignment - 1) / kPieceAlignment * kPieceAlignment + kStagger;
}

struct Placed {
    std::size_t offset;
    std::size_t end;
    std::uint32_t piece;
};

}  // namespace

MemoryLayout lay_out(const std::vector<Lifetime>& pieces) {
    std::vector<std::uint32_t> order(pieces.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(),
                     [&](auto a, auto b) { return pieces[a].bytes > pieces[b].bytes; });
    MemoryLayout layout{std::vector<std::size_t>(pieces.size(), 0), 0};
    std::vector<Placed> placed;  // by offset
    for (const auto i : order) {
        const auto& piece = pieces[i];
        const auto bytes = padded(piece.bytes);
        std::size_t reached = 0;  // the end of what was met so far
        std::size_t best = 0;
        std::size_t smallest = std::numeric_limits<std::size_t>::max();
        for (const auto& other : placed) {
            const auto& life = pieces[other.piece];
            if (life.end <= piece.begin || piece.end <= life.begin) continue;
            if (other.offset >= reached + bytes && other.offset - reached < smallest) {
                smallest = other.offset - reached;
                best = reached;
            }
            reached = std::max(reached, other.end);
        }
        if (smallest == std::numeric_limits<std::size_t>::max()) best = reached;
        layout.offsets[i] = best;
        layout.bytes = std::max(layout.bytes, best + bytes);
        const Placed mine{best, best + bytes, i};
        placed.insert(
            std::upper_bound(placed.begin(), placed.end(), mine,
                             [](const auto& a, const auto& b) { return a.offset < b.offset; }),
            mine);
    }
    return layout;
}

}  // namespace esper::graph
