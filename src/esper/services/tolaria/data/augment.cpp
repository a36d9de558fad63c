#include "esper/services/tolaria/data/augment.h"

#include <algorithm>
#include <cmath>

namespace esper::tolaria {

Placement draw_placement(const Augmentation& augmentation, const Variation& variation,
                         std::uint32_t example, int width, int height) {
    RandomStream stream(variation.seed, "augment", variation.epoch, example);
    const auto below = [&](int bound) {
        return static_cast<int>(stream.below(static_cast<std::uint64_t>(bound)));
    };
    Placement placement;
    // All numbers are always drawn, so that switching one augmentation off does not change the
    // others.
    placement.flip = below(2) == 1 && augmentation.flip;
    const int shift = static_cast<int>(augmentation.shift);
    placement.right = below(2 * shift + 1) - shift;
    placement.down = below(2 * shift + 1) - shift;
    placement.cut = static_cast<int>(augmentation.cutout);
    placement.cut_left = below(width) - placement.cut / 2;
    placement.cut_top = below(height) - placement.cut / 2;
    if (augmentation.erasing > 0)
        placement.erased = draw_erased(augmentation.erasing, stream, width, height);
    return placement;
}

Rectangle draw_erased(double probability, RandomStream& stream, int width, int height) {
    constexpr double kSmallest = 0.02;
    constexpr double kLargest = 0.33;
    const double widest = std::log(3.3);
    if (stream.uniform() >= probability) return {};
    for (int attempt = 0; attempt < 10; ++attempt) {
        const double area = width * height * stream.uniform(kSmallest, kLargest);
        const double ratio = std::exp(stream.uniform(-widest, widest));
        const int tall = static_cast<int>(std::lround(std::sqrt(area * ratio)));
        const int wide = static_cast<int>(std::lround(std::sqrt(area / ratio)));
        if (tall >= height || wide >= width || tall < 1 || wide < 1) continue;
        const auto somewhere = [&](int whole, int part) {
            const std::int64_t places = std::int64_t{whole} - part + 1;
            return static_cast<int>(stream.below(static_cast<std::uint64_t>(places)));
        };
        const int top = somewhere(height, tall);
        return {somewhere(width, wide), top, wide, tall};
    }
    return {};
}

Normalisation::Normalisation(const std::vector<double>& mean, const std::vector<double>& deviation)
    : tables_(mean.size()) {
    for (std::size_t c = 0; c < mean.size(); ++c) {
        for (std::size_t v = 0; v < 256; ++v) {
            tables_[c][v] =
                static_cast<float>((static_cast<double>(v) / 255.0 - mean[c]) / deviation[c]);
        }
    }
}

void place_image(const std::uint8_t* planes, int channels, int height, int width,
                 const Placement& placement, const Normalisation& normalisation, ImageLayout layout,
                 float* out) {
    const bool last = layout == ImageLayout::kChannelsLast;
    const std::ptrdiff_t step = last ? channels : 1;
    // Columns [from, to) of the output come from inside the source image.
    const int from = std::clamp(placement.right, 0, width);
    const int to = std::clamp(width + placement.right, 0, width);
    for (int c = 0; c < channels; ++c) {
        const float* table = normalisation.table(static_cast<std::size_t>(c));
        for (int y = 0; y < height; ++y) {
            float* row = last ? out + static_cast<std::ptrdiff_t>(y) * width * channels + c
                              : out + (static_cast<std::ptrdiff_t>(c) * height + y) * width;
            const int source_y = y - placement.down;
            const auto put = [&](int x, float value) { row[x * step] = value; };
            if (source_y < 0 || source_y >= height) {
                for (int x = 0; x < width; ++x) put(x, 0.0F);
                continue;
            }
            const std::uint8_t* source =
                planes + (static_cast<std::ptrdiff_t>(c) * height + source_y) * width;
            // First the shift to the right, then the mirror, which reverses the row.
            const int turn = width - 1;
            for (int x = 0; x < from; ++x) put(placement.flip ? turn - x : x, 0.0F);
            for (int x = to; x < width; ++x) put(placement.flip ? turn - x : x, 0.0F);
            if (placement.flip) {
                for (int x = from; x < to; ++x) put(turn - x, table[source[x - placement.right]]);
            } else {
                for (int x = from; x < to; ++x) put(x, table[source[x - placement.right]]);
            }
            if (placement.cut > 0 && y >= placement.cut_top &&
                y < placement.cut_top + placement.cut) {
                const int end = std::min(width, placement.cut_left + placement.cut);
                for (int x = std::max(0, placement.cut_left); x < end; ++x) put(x, 0.0F);
            }
            const Rectangle& erased = placement.erased;
            if (y >= erased.top && y < erased.top + erased.height)
                for (int x = erased.left; x < erased.left + erased.width; ++x) put(x, 0.0F);
        }
    }
}

}  // namespace esper::tolaria
