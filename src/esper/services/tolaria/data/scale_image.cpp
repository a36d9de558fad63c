#include "esper/services/tolaria/data/scale_image.h"

#include <algorithm>
#include <cmath>

namespace esper::tolaria {
namespace {

/// The pixels of one line that make one output pixel, with their weights.
struct Tap {
    std::uint32_t first = 0;
    std::vector<float> weights;
};

std::vector<Tap> area_taps(std::uint32_t from, std::uint32_t to) {
    std::vector<Tap> taps(to);
    const double scale = static_cast<double>(from) / to;
    for (std::uint32_t i = 0; i < to; ++i) {
        const double begin = i * scale;
        const double end = (i + 1) * scale;
        taps[i].first = static_cast<std::uint32_t>(begin);
        for (auto p = taps[i].first; p < from && p < end; ++p) {
            const double covered = std::min<double>(p + 1, end) - std::max<double>(p, begin);
            if (covered > 1e-9) taps[i].weights.push_back(static_cast<float>(covered / scale));
        }
    }
    return taps;
}

std::vector<Tap> linear_taps(std::uint32_t from, std::uint32_t to) {
    std::vector<Tap> taps(to);
    const double scale = static_cast<double>(from) / to;
    for (std::uint32_t i = 0; i < to; ++i) {
        const double centre = std::clamp((i + 0.5) * scale - 0.5, 0.0, from - 1.0);
        taps[i].first = std::min(static_cast<std::uint32_t>(centre), from > 1 ? from - 2 : 0);
        const auto second = static_cast<float>(centre - taps[i].first);
        taps[i].weights = {1 - second};
        if (from > 1) taps[i].weights.push_back(second);
    }
    return taps;
}

}  // namespace

std::vector<std::uint8_t> scale_square(const Pixels& pixels, std::uint32_t side) {
    const auto square = std::min(pixels.width, pixels.height);
    const auto left = (pixels.width - square) / 2;
    const auto top = (pixels.height - square) / 2;
    const auto taps = square >= side ? area_taps(square, side) : linear_taps(square, side);
    const std::size_t channels = pixels.channels;
    // First along the lines, then down the columns.
    std::vector<float> narrow(std::size_t{square} * side * channels);
    for (std::uint32_t y = 0; y < square; ++y) {
        const auto* line =
            pixels.bytes.data() + (std::size_t{top + y} * pixels.width + left) * channels;
        for (std::uint32_t x = 0; x < side; ++x) {
            const auto& tap = taps[x];
            for (std::size_t c = 0; c < channels; ++c) {
                float sum = 0;
                for (std::size_t k = 0; k < tap.weights.size(); ++k)
                    sum += tap.weights[k] * line[(tap.first + k) * channels + c];
                narrow[(std::size_t{y} * side + x) * channels + c] = sum;
            }
        }
    }
    std::vector<std::uint8_t> out(std::size_t{side} * side * channels);
    for (std::uint32_t y = 0; y < side; ++y) {
        const auto& tap = taps[y];
        for (std::uint32_t x = 0; x < side; ++x) {
            for (std::size_t c = 0; c < channels; ++c) {
                float sum = 0;
                for (std::size_t k = 0; k < tap.weights.size(); ++k)
                    sum += tap.weights[k] * narrow[((tap.first + k) * side + x) * channels + c];
                out[(c * side + y) * side + x] =
                    static_cast<std::uint8_t>(std::clamp(std::lround(sum), 0L, 255L));
            }
        }
    }
    return out;
}

}  // namespace esper::tolaria
