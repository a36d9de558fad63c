#include "esper/services/tolaria/data/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace esper::tolaria {
namespace {

TEST(RandomErasing, ErasesAsOftenAsAskedAndWithinItsBounds) {
    int erased = 0;
    constexpr int kDraws = 4000;
    for (std::uint32_t i = 0; i < kDraws; ++i) {
        RandomStream stream(1, "erasing", 0, i);
        const auto box = draw_erased(0.25, stream, 32, 32);
        if (box.width == 0) continue;
        ++erased;
        EXPECT_TRUE(box.left >= 0 && box.top >= 0 && box.left + box.width <= 32 &&
                    box.top + box.height <= 32);
        const double area = box.width * box.height / 1024.0;
        // Sides are rounded to pixels.
        EXPECT_GT(area, 0.01);
        EXPECT_LT(area, 0.36);
        EXPECT_LT(std::abs(std::log(static_cast<double>(box.height) / box.width)),
                  std::log(3.3) + 0.35);
    }
    EXPECT_NEAR(erased, kDraws / 4.0, 120);
}

TEST(RandomErasing, TheRectangleGetsTheMeanColourAndNothingElseChanges) {
    std::vector<std::uint8_t> planes(8 * 6, 200);
    const Normalisation normalisation({0.5}, {0.25});
    std::vector<float> plain(48);
    std::vector<float> erased(48);
    Placement placement;
    place_image(planes.data(), 1, 8, 6, placement, normalisation, ImageLayout::kChannelsLast,
                plain.data());
    placement.erased = {1, 2, 3, 4};
    place_image(planes.data(), 1, 8, 6, placement, normalisation, ImageLayout::kChannelsLast,
                erased.data());
    for (int y = 0; y < 8; ++y)
        for (int x = 0; x < 6; ++x) {
            const bool inside = x >= 1 && x < 4 && y >= 2 && y < 6;
            const auto at = static_cast<std::size_t>(y) * 6 + static_cast<std::size_t>(x);
            EXPECT_EQ(erased[at], inside ? 0.0F : plain[at]);
        }
}

TEST(RandomErasing, DoesNotChangeTheOtherAugmentations) {
    const Variation variation{3, 7};
    for (std::uint32_t i = 0; i < 50; ++i) {
        const auto without = draw_placement({.cutout = 4}, variation, i, 32, 32);
        const auto with = draw_placement({.cutout = 4, .erasing = 1}, variation, i, 32, 32);
        EXPECT_EQ(with.flip, without.flip);
        EXPECT_EQ(with.right, without.right);
        EXPECT_EQ(with.cut_top, without.cut_top);
    }
}

}  // namespace
}  // namespace esper::tolaria
