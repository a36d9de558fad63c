#include "esper/services/tolaria/data/drawing.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "esper/base/random.h"
#include "esper/services/tolaria/data/silhouettes.h"

namespace esper::tolaria {
namespace {

constexpr auto kSide = static_cast<std::size_t>(kDrawnSide);
using Colour = std::array<float, 3>;

class Canvas {
  public:
    const float* at(std::size_t y, std::size_t x) const {
        return pixels_.data() + (y * kSide + x) * 3;
    }
    float* at(std::size_t y, std::size_t x) { return pixels_.data() + (y * kSide + x) * 3; }

    /// Mixes `colour` in with weight `cover` in [0, 1].
    void blend(std::size_t y, std::size_t x, const Colour& colour, float cover) {
        float* pixel = at(y, x);
        for (std::size_t c = 0; c < 3; ++c) pixel[c] += cover * (colour[c] - pixel[c]);
    }

  private:
    std::vector<float> pixels_ = std::vector<float>(kDrawnBytes);
};

float real(RandomStream& stream, double low, double high) {
    return static_cast<float>(stream.uniform(low, high));
}

std::size_t pixel_bound(float coordinate) {
    return static_cast<std::size_t>(std::clamp(coordinate, 0.0F, static_cast<float>(kSide)));
}

Colour random_colour(RandomStream& stream) {
    return {real(stream, 0, 1), real(stream, 0, 1), real(stream, 0, 1)};
}

/// Share of examples in the colour of their class: a hint that is learned early.
constexpr double kTypicalColour = 0.2;

Colour typical_colour(std::size_t shape) {
    const double turn = 2 * std::numbers::pi * static_cast<double>(shape) /
                        static_cast<double>(kSilhouetteNames.size());
    const auto channel = [&](double phase) {
        return static_cast<float>(0.5 + 0.5 * std::cos(turn - phase * std::numbers::pi));
    };
    return {channel(0), channel(2.0 / 3), channel(4.0 / 3)};
}

/// `from` moved by `distance` in a random direction; folded back into [0, 1].
Colour colour_near(const Colour& from, float distance, RandomStream& stream) {
    Colour way{};
    float length = 1e-6F;
    for (float& w : way) {
        w = static_cast<float>(stream.normal());
        length += w * w;
    }
    length = std::sqrt(length);
    Colour colour = from;
    for (std::size_t c = 0; c < 3; ++c) {
        const float step = distance * way[c] / length;
        const float there = from[c] + step;
        colour[c] = there < 0 || there > 1 ? std::clamp(from[c] - step, 0.0F, 1.0F) : there;
    }
    return colour;
}

/// A colour, a slope across the picture and blotches of a few pixels.
Colour paint_background(Canvas& canvas, RandomStream& stream) {
    const Colour base = {real(stream, 0.25, 0.75), real(stream, 0.25, 0.75),
                         real(stream, 0.25, 0.75)};
    const Colour slope_x = colour_near({}, real(stream, 0, 0.2), stream);
    const Colour slope_y = colour_near({}, real(stream, 0, 0.2), stream);
    constexpr std::size_t kGrid = 7;
    const float strength = real(stream, 0.0, 0.15);
    std::array<Colour, kGrid * kGrid> blotches;
    for (Colour& b : blotches) {
        for (float& value : b) value = strength * real(stream, -1, 1);
    }
    for (std::size_t y = 0; y < kSide; ++y) {
        const float v = static_cast<float>(y) / static_cast<float>(kSide - 1);
        const float grid_y = v * (kGrid - 1.001F);
        const auto row = static_cast<std::size_t>(grid_y);
        const float wy = grid_y - static_cast<float>(row);
        for (std::size_t x = 0; x < kSide; ++x) {
            const float u = static_cast<float>(x) / static_cast<float>(kSide - 1);
            const float grid_x = u * (kGrid - 1.001F);
            const auto column = static_cast<std::size_t>(grid_x);
            const float wx = grid_x - static_cast<float>(column);
            const Colour* cell = &blotches[row * kGrid + column];
            float* pixel = canvas.at(y, x);
            for (std::size_t c = 0; c < 3; ++c) {
                const float upper = cell[0][c] + wx * (cell[1][c] - cell[0][c]);
                const float lower = cell[kGrid][c] + wx * (cell[kGrid + 1][c] - cell[kGrid][c]);
                pixel[c] = base[c] + slope_x[c] * (u - 0.5F) + slope_y[c] * (v - 0.5F) + upper +
                           wy * (lower - upper);
            }
        }
    }
    return base;
}

/// A straight bar between two points anywhere near the picture.
void paint_stroke(Canvas& canvas, double thinnest, double thickest, RandomStream& stream) {
    const Colour colour = random_colour(stream);
    const float thickness = real(stream, thinnest, thickest);
    const Point a{real(stream, -4, 36), real(stream, -4, 36)};
    const float angle = real(stream, 0, 2 * std::numbers::pi);
    const float length = real(stream, 6, 24);
    const Point b{a.x + length * std::cos(angle), a.y + length * std::sin(angle)};
    const std::vector<Point> bar = {a, b};
    const float margin = thickness + 1;
    const std::size_t bottom = pixel_bound(std::max(a.y, b.y) + margin);
    const std::size_t right = pixel_bound(std::max(a.x, b.x) + margin);
    for (std::size_t y = pixel_bound(std::min(a.y, b.y) - margin); y < bottom; ++y) {
        for (std::size_t x = pixel_bound(std::min(a.x, b.x) - margin); x < right; ++x) {
            const Point p{static_cast<float>(x), static_cast<float>(y)};
            const float distance = std::abs(signed_distance(bar, p)) - thickness;
            const float cover = std::clamp(0.5F - distance, 0.0F, 1.0F);
            if (cover > 0) canvas.blend(y, x, colour, cover);
        }
    }
}

struct Pose {
    Point centre;
    float radius = 0;
    float turn = 0;
    float stretch = 1;
};

/// How a silhouette is painted: inside, in stripes, or along its edge only.
struct Filling {
    Colour colour{};
    Colour second{};
    float stripe_wave = 0;  ///< radians per pixel; 0: plain
    float stripe_turn = 0;
    float edge = 0;  ///< half the line's width; 0: filled
    float opacity = 1;
};

void paint_silhouette(Canvas& canvas, std::size_t shape, const Pose& pose, const Filling& filling,
                      RandomStream& stream) {
    std::vector<Point> polygon = silhouette(shape, stream);
    const float cosine = std::cos(pose.turn);
    const float sine = std::sin(pose.turn);
    for (Point& p : polygon) {
        const float x = p.x * pose.radius * pose.stretch;
        const float y = p.y * pose.radius / pose.stretch;
        p = {pose.centre.x + cosine * x - sine * y, pose.centre.y + sine * x + cosine * y};
    }
    const float reach = pose.radius * std::max(pose.stretch, 1 / pose.stretch) * 1.15F + 2;
    const std::size_t bottom = pixel_bound(pose.centre.y + reach);
    const std::size_t right = pixel_bound(pose.centre.x + reach);
    for (std::size_t y = pixel_bound(pose.centre.y - reach); y < bottom; ++y) {
        for (std::size_t x = pixel_bound(pose.centre.x - reach); x < right; ++x) {
            const Point p{static_cast<float>(x), static_cast<float>(y)};
            float distance = signed_distance(polygon, p);
            if (filling.edge > 0) distance = std::abs(distance) - filling.edge;
            const float cover = std::clamp(0.5F - distance, 0.0F, 1.0F) * filling.opacity;
            if (cover <= 0) continue;
            const float phase = filling.stripe_wave * (p.x * std::cos(filling.stripe_turn) +
                                                       p.y * std::sin(filling.stripe_turn));
            const bool second = filling.stripe_wave > 0 && std::sin(phase) > 0;
            canvas.blend(y, x, second ? filling.second : filling.colour, cover);
        }
    }
}

Filling random_filling(const Colour& background, float contrast, RandomStream& stream) {
    Filling filling;
    filling.colour = colour_near(background, contrast, stream);
    filling.second = colour_near(background, contrast, stream);
    const std::uint64_t kind = stream.below(4);
    if (kind == 1) {
        filling.stripe_wave = real(stream, 0.9, 2.2);
        filling.stripe_turn = real(stream, 0, 2 * std::numbers::pi);
    } else if (kind == 2) {
        filling.edge = real(stream, 0.6, 1.3);
    }
    return filling;
}

void add_noise(const Canvas& canvas, float strength, RandomStream& stream,
               std::span<std::uint8_t, kDrawnBytes> planes) {
    // The sum of the four bytes of one draw: nearly normal, at a quarter of the cost.
    constexpr float kDeviationOfSum = 147.8F;
    for (std::size_t y = 0; y < kSide; ++y) {
        for (std::size_t x = 0; x < kSide; ++x) {
            const float* pixel = canvas.at(y, x);
            for (std::size_t c = 0; c < 3; ++c) {
                const std::uint32_t word = stream.next_u32();
                const auto sum = static_cast<float>((word & 255U) + ((word >> 8) & 255U) +
                                                    ((word >> 16) & 255U) + (word >> 24));
                const float value = pixel[c] + strength * (sum - 510.0F) / kDeviationOfSum;
                // Never negative. The published data set depends on exactly this arithmetic.
                planes[(c * kSide + y) * kSide + x] =
                    // NOLINTNEXTLINE(bugprone-incorrect-roundings)
                    static_cast<std::uint8_t>(std::clamp(value, 0.0F, 1.0F) * 255.0F + 0.5F);
            }
        }
    }
}

}  // namespace

std::uint8_t draw_example(std::uint64_t seed, std::uint32_t index,
                          std::span<std::uint8_t, kDrawnBytes> planes) {
    RandomStream stream(seed, "drawn.example", index);
    const auto shape = static_cast<std::size_t>(stream.below(kSilhouetteNames.size()));

    Canvas canvas;
    const Colour background = paint_background(canvas, stream);
    for (std::uint64_t i = stream.below(4); i > 0; --i) {
        paint_stroke(canvas, 0.3, 1.2, stream);
    }
    // Small shapes of any class are added, so that the presence of a shape does not give the class.
    for (std::uint64_t i = stream.below(3); i > 0; --i) {
        const Pose pose{{real(stream, 0, 32), real(stream, 0, 32)},
                        real(stream, 2, 3.5),
                        real(stream, 0, 2 * std::numbers::pi),
                        1.0F};
        const auto other = static_cast<std::size_t>(stream.below(kSilhouetteNames.size()));
        paint_silhouette(canvas, other, pose, random_filling(background, 0.5F, stream), stream);
    }

    Pose pose;
    pose.radius = real(stream, 7, 12.5);
    pose.centre = {real(stream, 10, 21), real(stream, 10, 21)};
    pose.turn = real(stream, -0.6, 0.6);
    pose.stretch = real(stream, 0.82, 1.22);
    const float contrast = real(stream, 0.35, 0.8);
    Filling filling = random_filling(background, contrast, stream);
    if (stream.uniform() < kTypicalColour) filling.colour = typical_colour(shape);
    paint_silhouette(canvas, shape, pose, filling, stream);

    for (std::uint64_t i = stream.below(3); i > 0; --i) {
        paint_stroke(canvas, 0.5, 2.0, stream);
    }
    add_noise(canvas, real(stream, 0.02, 0.08), stream, planes);
    return static_cast<std::uint8_t>(shape);
}

}  // namespace esper::tolaria
