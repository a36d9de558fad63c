#include "esper/services/tolaria/data/image_operations.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace esper::tolaria {
namespace {

// from + factor · (to - from) in float, cut off, kept in a byte.
std::uint8_t blend(int from, int to, float factor) {
    const float value = static_cast<float>(from) + factor * static_cast<float>(to - from);
    if (value <= 0) return 0;
    if (value >= 255) return 255;
    return static_cast<std::uint8_t>(value);
}

std::uint8_t grey_of(int red, int green, int blue) {
    return static_cast<std::uint8_t>((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16);
}

// The image in grey; of one channel that channel.
std::vector<std::uint8_t> grey(const ByteImage& image) {
    const auto first = image.plane(0);
    std::vector<std::uint8_t> out(first.begin(), first.end());
    if (image.channels != 3) return out;
    const auto green = image.plane(1);
    const auto blue = image.plane(2);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = grey_of(first[i], green[i], blue[i]);
    return out;
}

using Histogram = std::array<std::uint32_t, 256>;

Histogram histogram_of(std::span<const std::uint8_t> plane) {
    Histogram counts{};
    for (const auto pixel : plane) ++counts[pixel];
    return counts;
}

// Each pixel's neighbours count one and it five; the edge stays.
std::vector<std::uint8_t> smoothed(std::span<const std::uint8_t> plane, int height, int width) {
    std::vector<std::uint8_t> out(plane.begin(), plane.end());
    const auto place = [&](int y, int x) {
        return static_cast<std::size_t>(std::int64_t{y} * width + x);
    };
    const auto at = [&](int y, int x) { return static_cast<int>(plane[place(y, x)]); };
    for (int y = 1; y + 1 < height; ++y)
        for (int x = 1; x + 1 < width; ++x) {
            int sum = 4 * at(y, x);
            for (int down = -1; down <= 1; ++down)
                for (int right = -1; right <= 1; ++right) sum += at(y + down, x + right);
            out[place(y, x)] = static_cast<std::uint8_t>((2 * sum + 13) / 26);
        }
    return out;
}

}  // namespace

void change_brightness(const ByteImage& image, double factor) {
    for (auto& pixel : image.pixels) pixel = blend(0, pixel, static_cast<float>(factor));
}

void change_colour(const ByteImage& image, double factor) {
    if (image.channels != 3) return;
    const auto background = grey(image);
    for (int c = 0; c < 3; ++c) {
        const auto plane = image.plane(c);
        for (std::size_t i = 0; i < plane.size(); ++i)
            plane[i] = blend(background[i], plane[i], static_cast<float>(factor));
    }
}

void change_contrast(const ByteImage& image, double factor) {
    const auto mean_of = [](std::span<const std::uint8_t> values) {
        std::uint64_t sum = 0;
        for (const auto value : values) sum += value;
        return static_cast<int>(
            std::lround(static_cast<double>(sum) / static_cast<double>(values.size())));
    };
    const auto whole = mean_of(grey(image));
    for (int c = 0; c < image.channels; ++c) {
        const auto plane = image.plane(c);
        const int mean = image.channels == 3 ? whole : mean_of(plane);
        for (auto& pixel : plane) pixel = blend(mean, pixel, static_cast<float>(factor));
    }
}

void change_sharpness(const ByteImage& image, double factor) {
    for (int c = 0; c < image.channels; ++c) {
        const auto plane = image.plane(c);
        const auto soft = smoothed(plane, image.height, image.width);
        for (std::size_t i = 0; i < plane.size(); ++i)
            plane[i] = blend(soft[i], plane[i], static_cast<float>(factor));
    }
}

void posterize(const ByteImage& image, int bits) {
    const auto mask = static_cast<std::uint8_t>(~((1U << (8 - bits)) - 1U));
    for (auto& pixel : image.pixels) pixel &= mask;
}

void solarize(const ByteImage& image, double threshold) {
    for (auto& pixel : image.pixels)
        if (!(pixel < threshold)) pixel = static_cast<std::uint8_t>(255 - pixel);
}

void stretch_contrast(const ByteImage& image) {
    for (int c = 0; c < image.channels; ++c) {
        const auto plane = image.plane(c);
        const auto [lowest, highest] = std::ranges::minmax(plane);
        if (highest <= lowest) continue;
        const double scale = 255.0 / (highest - lowest);
        const double offset = -lowest * scale;
        std::array<std::uint8_t, 256> table{};
        for (int v = 0; v < 256; ++v)
            table[static_cast<std::size_t>(v)] =
                static_cast<std::uint8_t>(std::clamp(static_cast<int>(v * scale + offset), 0, 255));
        for (auto& pixel : plane) pixel = table[pixel];
    }
}

void equalize(const ByteImage& image) {
    for (int c = 0; c < image.channels; ++c) {
        const auto plane = image.plane(c);
        const auto counts = histogram_of(plane);
        const auto last = std::ranges::find_if(counts.rbegin(), counts.rend(),
                                               [](std::uint32_t n) { return n > 0; });
        const auto step = (static_cast<std::uint32_t>(plane.size()) - *last) / 255;
        if (step == 0) continue;
        std::array<std::uint8_t, 256> table{};
        std::uint32_t sum = step / 2;
        for (std::size_t v = 0; v < 256; ++v) {
            table[v] = static_cast<std::uint8_t>(std::min<std::uint32_t>(sum / step, 255));
            sum += counts[v];
        }
        for (auto& pixel : plane) pixel = table[pixel];
    }
}

void transform(const ByteImage& image, const std::array<double, 6>& m) {
    // Numbers of 16 bits before the point and 16 behind it, as Pillow counts.
    const auto fixed = [](double v) { return static_cast<int>(std::floor(v * 65536.0 + 0.5)); };
    const int right_x = fixed(m[0]);
    const int right_y = fixed(m[3]);
    const int down_x = fixed(m[1]);
    const int down_y = fixed(m[4]);
    const std::vector<std::uint8_t> source(image.pixels.begin(), image.pixels.end());
    std::ranges::fill(image.pixels, std::uint8_t{0});
    const auto plane = image.plane(0).size();
    int begin_x = fixed(m[2] + m[0] * 0.5 + m[1] * 0.5);
    int begin_y = fixed(m[5] + m[3] * 0.5 + m[4] * 0.5);
    std::size_t to = 0;
    for (int y = 0; y < image.height; ++y, begin_x += down_x, begin_y += down_y) {
        int at_x = begin_x;
        int at_y = begin_y;
        for (int x = 0; x < image.width; ++x, ++to, at_x += right_x, at_y += right_y) {
            const int from_x = at_x >> 16;
            const int from_y = at_y >> 16;
            if (from_x < 0 || from_x >= image.width || from_y < 0 || from_y >= image.height)
                continue;
            const auto from = static_cast<std::size_t>(std::int64_t{from_y} * image.width + from_x);
            for (std::size_t c = 0; c < static_cast<std::size_t>(image.channels); ++c)
                image.pixels[c * plane + to] = source[c * plane + from];
        }
    }
}

void rotate(const ByteImage& image, double degrees) {
    const double angle = -degrees * std::numbers::pi / 180.0;
    const double cosine = std::cos(angle);
    const double sine = std::sin(angle);
    const double x = image.width / 2.0;
    const double y = image.height / 2.0;
    transform(image,
              {cosine, sine, x - cosine * x - sine * y, -sine, cosine, y + sine * x - cosine * y});
}

}  // namespace esper::tolaria
