#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "esper/base/random.h"

namespace esper::tolaria {

struct Point {
    float x = 0;
    float y = 0;
};

/// The ten classes of the drawn set. Neighbours in the list look alike on purpose.
inline constexpr std::array<std::string_view, 10> kSilhouetteNames = {
    "triangle", "square",   "pentagon",  "hexagon", "disc",
    "star",     "hexagram", "half-disc", "cross",   "tee"};

/// The outline of a class with a radius of about 1 around the origin. Every vertex is moved a
/// little, at random.
std::vector<Point> silhouette(std::size_t shape, RandomStream& stream);

/// Signed distance from a point to a closed polygon, negative inside.
float signed_distance(const std::vector<Point>& polygon, Point p);

}  // namespace esper::tolaria
