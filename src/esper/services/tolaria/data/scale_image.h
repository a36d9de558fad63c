#pragma once

#include <cstdint>
#include <vector>

namespace esper::tolaria {

/// Interleaved bytes {height, width, channels}.
struct Pixels {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    std::uint32_t channels = 0;
    std::vector<std::uint8_t> bytes;
};

/// The square in the middle, scaled to `side` pixels: planar bytes {channels, side, side}. Where it
/// becomes smaller, a pixel is the mean of the area that it covers, else bilinear.
std::vector<std::uint8_t> scale_square(const Pixels& pixels, std::uint32_t side);

}  // namespace esper::tolaria
