#include "esper/cli/sample_pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "esper/services/tolaria/data/image_file.h"
#include "esper/services/tolaria/data/prefetching_loader.h"

namespace esper::cli {

namespace {

using Colour = std::array<std::uint8_t, 3>;

/// One image as colours.
struct Picture {
    int side = 0;
    std::vector<Colour> pixels;
    // Of a picture drawn with `to` pixels a side, the mean of the area under one of them.
    Colour at(int x, int y, int to) const {
        std::array<int, 3> sum{};
        int count = 0;
        const int ends[] = {std::max((x + 1) * side / to, x * side / to + 1),
                            std::max((y + 1) * side / to, y * side / to + 1)};
        for (int v = y * side / to; v < ends[1]; ++v)
            for (int u = x * side / to; u < ends[0]; ++u, ++count)
                for (std::size_t c = 0; c < 3; ++c)
                    sum[c] += pixels[static_cast<std::size_t>(v * side + u)][c];
        Colour mean;
        for (std::size_t c = 0; c < 3; ++c) mean[c] = static_cast<std::uint8_t>(sum[c] / count);
        return mean;
    }
};

Result<std::vector<Picture>> take_pictures(const tolaria::Dataset& images, std::uint32_t count) {
    const auto& info = images.info();
    tolaria::Batch batch;
    batch.indices.resize(std::min(count, images.size(tolaria::Part::kTrain)));
    std::iota(batch.indices.begin(), batch.indices.end(), 0U);
    ESPER_CHECK_STATUS(tolaria::fill_batch(images, tolaria::Part::kTrain, std::nullopt, batch));
    const auto channels = static_cast<std::size_t>(info.input_shape[0]);
    const auto plane = static_cast<std::size_t>(info.input_shape[1] * info.input_shape[2]);
    const bool last = info.layout == tolaria::ImageLayout::kChannelsLast;
    std::vector<Picture> pictures;
    for (std::size_t n = 0; n < batch.indices.size(); ++n) {
        Picture picture{static_cast<int>(info.input_shape[1]), std::vector<Colour>(plane)};
        const float* from = batch.pixels.data() + n * plane * channels;
        for (std::size_t p = 0; p < plane; ++p) {
            for (std::size_t shown = 0; shown < 3; ++shown) {
                const auto c = std::min(shown, channels - 1);
                const double value = from[last ? p * channels + c : c * plane + p];
                const double byte = (value * info.deviation[c] + info.mean[c]) * 255;
                picture.pixels[p][shown] =
                    static_cast<std::uint8_t>(std::clamp(std::lround(byte), 0L, 255L));
            }
        }
        pictures.push_back(std::move(picture));
    }
    return pictures;
}

std::string in_colours(const Colour& above, const Colour& below) {
    return fmt::format("\033[38;2;{};{};{}m\033[48;2;{};{};{}m\u2580", above[0], above[1], above[2],
                       below[0], below[1], below[2]);
}

char in_letters(const Colour& above, const Colour& below) {
    constexpr std::string_view kDense = " .:-=+*#%@";
    int sum = 0;
    for (const auto* colour : {&above, &below})
        for (const auto c : *colour) sum += c;
    return kDense[static_cast<std::size_t>(sum) * (kDense.size() - 1) / (6 * 255)];
}

}  // namespace

Result<std::string> draw_samples(const tolaria::Dataset& images, bool colours, int columns) {
    const int side = std::min(static_cast<int>(images.info().input_shape[1]), 24) / 2 * 2;
    const int count = std::clamp((columns - 2) / (side + 2), 1, 6);
    ESPER_TRY(const auto pictures, take_pictures(images, static_cast<std::uint32_t>(count)));
    std::string out;
    for (int y = 0; y < side; y += 2) {
        out += "  ";
        for (const auto& picture : pictures) {
            for (int x = 0; x < side; ++x) {
                const auto above = picture.at(x, y, side);
                const auto below = picture.at(x, y + 1, side);
                out +=
                    colours ? in_colours(above, below) : std::string(1, in_letters(above, below));
            }
            out += colours ? "\033[0m  " : "  ";
        }
        out += "\n";
    }
    return out;
}

Status write_samples(const tolaria::Dataset& images, const std::filesystem::path& path) {
    constexpr int kInRow = 8;
    constexpr int kGap = 2;
    ESPER_TRY(const auto pictures, take_pictures(images, kInRow * kInRow));
    const int own = pictures.empty() ? 1 : pictures[0].side;
    const int side = own * std::max(1, 48 / own);
    const int rows = (static_cast<int>(pictures.size()) + kInRow - 1) / kInRow;
    const int width = kInRow * (side + kGap) + kGap;
    const int height = rows * (side + kGap) + kGap;
    std::vector<std::uint8_t> sheet(static_cast<std::size_t>(width * height * 3), 32);
    for (std::size_t n = 0; n < pictures.size(); ++n) {
        const int left = kGap + static_cast<int>(n) % kInRow * (side + kGap);
        const int top = kGap + static_cast<int>(n) / kInRow * (side + kGap);
        for (int y = 0; y < side; ++y)
            for (int x = 0; x < side; ++x) {
                const auto colour = pictures[n].at(x, y, side);
                std::ranges::copy(colour, sheet.begin() + ((top + y) * width + left + x) * 3);
            }
    }
    return tolaria::write_png(path, static_cast<std::uint32_t>(width),
                              static_cast<std::uint32_t>(height), sheet);
}

}  // namespace esper::cli
