#pragma once

#include <cstdint>
#include <span>

namespace esper::tolaria {

inline constexpr int kDrawnSide = 32;
inline constexpr std::size_t kDrawnBytes = 3 * kDrawnSide * kDrawnSide;

/// Draws example `index` of the set named by `seed` into planar RGB bytes {3, 32, 32} and returns
/// its class, 0–9. The silhouette tells the class; one time in five so does its colour, which is
/// soon learnt and then of no further help. Place, size, turn, stretch, other colours, filling
/// (plain, striped, outline), background, strokes and small shapes lying about and covering it, and
/// noise are drawn independently of it. A pure function.
std::uint8_t draw_example(std::uint64_t seed, std::uint32_t index,
                          std::span<std::uint8_t, kDrawnBytes> planes);

}  // namespace esper::tolaria
