#include "esper/services/tolaria/learn/class_figures.h"

#include <gtest/gtest.h>

#include <cmath>

namespace esper::tolaria {
namespace {

TEST(ClassFigures, TheAreaCountsTiesHalf) {
    // Of six pairs of a positive and a negative, four are in order and one is tied.
    EXPECT_DOUBLE_EQ(
        *area_under_curve({0.9, 0.4, 0.4, 0.1, 0.6}, {true, true, false, false, false}), 4.5 / 6);
    EXPECT_DOUBLE_EQ(*area_under_curve({1, 2}, {true, false}), 0);
    EXPECT_FALSE(area_under_curve({1, 2}, {true, true}));
    const double none = std::nan("");
    EXPECT_FALSE(area_under_curve({1, none, 2}, {true, false, false}));
}

TEST(ClassFigures, OfClassesAsTheirDefinitionsSay) {
    // Right: 0 0 1 1 2; said: 0 1 1 1 0.
    const std::vector<float> scores{2, 1, 0, 0, 2, 1, 0, 3, 1, 1, 2, 0, 2, 0, 1};
    const auto figures = figures_of_classes(scores, std::vector<std::int64_t>{0, 0, 1, 1, 2}, 3);
    EXPECT_EQ(figures.confusion, (std::vector<std::uint64_t>{1, 1, 0, 0, 2, 0, 1, 0, 0}));
    // 2·1/(2·1+1+1), 2·2/(2·2+0+1), 0.
    EXPECT_NEAR(figures.f1, (0.5 + 0.8 + 0) / 3, 1e-12);
    ASSERT_TRUE(figures.auc);
    EXPECT_GT(*figures.auc, 0.5);
}

TEST(ClassFigures, OfTwoClassesTheAreaIsThatOfTheSecond) {
    const std::vector<float> scores{0, 1, 0, 3, 0, 2, 0, -1};
    const auto figures = figures_of_classes(scores, std::vector<std::int64_t>{0, 1, 1, 0}, 2);
    EXPECT_DOUBLE_EQ(*figures.auc, 1);
}

TEST(ClassFigures, OutputsBeyondTheClassesAreLeftOut) {
    const std::vector<float> scores{1, 0, 9, 0, 1, 9};
    const auto figures = figures_of_classes(scores, std::vector<std::int64_t>{0, 1}, 2);
    EXPECT_EQ(figures.confusion, (std::vector<std::uint64_t>{1, 0, 0, 1}));
    EXPECT_DOUBLE_EQ(figures.f1, 1);
}

TEST(ClassFigures, OfLabelsEachIsMeasuredAlone) {
    const std::vector<float> scores{1, -1, -1, 2, 3, -2, -1, -1};
    const std::vector<float> holds{1, 0, 0, 1, 0, 0, 1, 0};
    const auto figures = figures_of_labels(scores, holds, 2);
    EXPECT_TRUE(figures.confusion.empty());
    // The first: one hit, one miss, one false alarm. The second: one hit.
    EXPECT_NEAR(figures.f1, (0.5 + 1) / 2, 1e-12);
    EXPECT_NEAR(*figures.auc, (0.375 + 1) / 2, 1e-12);
}

}  // namespace
}  // namespace esper::tolaria
