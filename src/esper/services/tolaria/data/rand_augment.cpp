#include "esper/services/tolaria/data/rand_augment.h"

#include <cmath>

namespace esper::tolaria {
namespace {

constexpr double kStrongest = 30;

}  // namespace

void rand_augment_operation(const ByteImage& image, int operation, int magnitude, bool negative) {
    const double strength = magnitude / kStrongest;
    const double sign = negative ? -1 : 1;
    const double factor = 1 + sign * 0.9 * strength;
    const auto moved = [&](int side) { return std::trunc(sign * 150.0 / 331.0 * side * strength); };
    switch (operation) {
        case 1:
            return transform(image, {1, sign * 0.3 * strength, 0, 0, 1, 0});
        case 2:
            return transform(image, {1, 0, 0, sign * 0.3 * strength, 1, 0});
        case 3:
            return transform(image, {1, 0, -moved(image.width), 0, 1, 0});
        case 4:
            return transform(image, {1, 0, 0, 0, 1, -moved(image.height)});
        case 5:
            return rotate(image, sign * 30 * strength);
        case 6:
            return change_brightness(image, factor);
        case 7:
            return change_colour(image, factor);
        case 8:
            return change_contrast(image, factor);
        case 9:
            return change_sharpness(image, factor);
        case 10:
            return posterize(image, 8 - static_cast<int>(std::nearbyint(magnitude / 7.5)));
        case 11:
            return solarize(image, 255 - 255 * strength);
        case 12:
            return stretch_contrast(image);
        case 13:
            return equalize(image);
        default:
            return;  // the identity
    }
}

void rand_augment(const ByteImage& image, int operations, int magnitude, RandomStream& stream) {
    for (int i = 0; i < operations; ++i) {
        const auto operation = static_cast<int>(stream.below(kRandAugmentOperations));
        const bool negative = stream.below(2) == 1;
        rand_augment_operation(image, operation, magnitude, negative);
    }
}

}  // namespace esper::tolaria
