#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace esper::graph {

/// A piece of memory that is needed from moment `begin` until before moment `end`.
struct Lifetime {
    std::size_t bytes = 0;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
};

/// One block of memory that holds all pieces: where each begins, and the bytes of the whole.
struct MemoryLayout {
    std::vector<std::size_t> offsets;
    std::size_t bytes = 0;
};

/// Places pieces that are needed at the same time side by side, the largest first, each into the
/// smallest gap that holds it (greedy by size, Pisarchyk and Lee 2020, "Efficient memory management
/// for deep neural net inference", section 5). Each piece begins at a multiple of 64 bytes.
MemoryLayout lay_out(const std::vector<Lifetime>& pieces);

}  // namespace esper::graph
