#pragma once

#include <cstdint>
#include <span>

namespace esper::tolaria {

inline constexpr int kDrawnSide = 32;
inline constexpr std::size_t kDrawnBytes = 3 * kDrawnSide * kDrawnSide;

/// Draws example `index` of the set `seed` into planar RGB bytes {3, 32, 32} and returns its class,
/// 0–9. The silhouette decides the class. In one of five examples the colour also depends on the
/// class, which is learned early and then helps no more. Place, size, rotation, stretch, other
/// colours, filling (plain, striped, outline), background, strokes and small shapes in front and
/// behind, and noise are independent of the class. A pure function.
std::uint8_t draw_example(std::uint64_t seed, std::uint32_t index,
                          std::span<std::uint8_t, kDrawnBytes> planes);

}  // namespace esper::tolaria
