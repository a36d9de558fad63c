#include "esper/services/records/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

namespace esper::records {
namespace {

using Values = std::vector<double>;

TEST(Statistics, AMeanHasAnIntervalByStudentsT) {
    const auto estimate = estimate_mean(Values{1, 2, 3, 6});
    EXPECT_EQ(estimate.n, 4U);
    EXPECT_DOUBLE_EQ(estimate.mean, 3);
    // The deviation is sqrt(14/3), t of three degrees of freedom 3.182446 (any table).
    EXPECT_NEAR(estimate.half_width.value(), 3.182446 * std::sqrt(14.0 / 3) / 2, 1e-5);
}

TEST(Statistics, OneValueHasNoInterval) {
    EXPECT_FALSE(estimate_mean(Values{1}).half_width);
    EXPECT_EQ(estimate_mean(Values{}).n, 0U);
    EXPECT_FALSE(estimate_mean(Values{1, std::numeric_limits<double>::infinity()}).half_width);
    EXPECT_EQ(estimate_mean(Values{2, 2, 2}).half_width, 0);
}

// Student's t of two degrees of freedom has a closed form: p = 1 - t / sqrt(2 + t²).
TEST(Statistics, PairsAreComparedByTheirDifferences) {
    const auto contrast = paired_contrast(Values{10, 20, 30}, Values{11, 22, 33});
    EXPECT_TRUE(contrast.is_paired);
    EXPECT_DOUBLE_EQ(contrast.difference.mean, 2);
    const double t = 2 / (1 / std::sqrt(3.0));
    EXPECT_NEAR(contrast.p.value(), 1 - t / std::sqrt(2 + t * t), 1e-12);
    EXPECT_NEAR(contrast.difference.half_width.value(), 4.302653 / std::sqrt(3.0), 1e-5);
}

TEST(Statistics, IndependentValuesAreComparedByWelch) {
    // Equal variances of 2 and two values each: two degrees of freedom, an error of sqrt(2).
    const auto contrast = welch_contrast(Values{1, 3}, Values{5, 7});
    EXPECT_FALSE(contrast.is_paired);
    EXPECT_DOUBLE_EQ(contrast.difference.mean, 4);
    const double t = 4 / std::numbers::sqrt2;
    EXPECT_NEAR(contrast.p.value(), 1 - t / std::sqrt(2 + t * t), 1e-12);
    // A group that does not vary leaves the degrees of freedom of the other: one, a Cauchy.
    const auto lone = welch_contrast(Values{0, 0, 0}, Values{1, 3});
    EXPECT_NEAR(lone.p.value(), 1 - 2 / std::numbers::pi * std::atan(2.0), 1e-12);
}

TEST(Statistics, WhatNeverVariesDiffersForSureOrNotAtAll) {
    EXPECT_EQ(welch_contrast(Values{1, 1}, Values{2, 2}).p, 0);
    EXPECT_EQ(paired_contrast(Values{1, 2}, Values{1, 2}).p, 1);
    EXPECT_FALSE(welch_contrast(Values{1}, Values{2, 3}).p);
    EXPECT_FALSE(welch_contrast(Values{}, Values{2, 3}).p);
}

TEST(Statistics, SeveralComparisonsRaiseTheirP) {
    EXPECT_EQ(holm(Values{0.01, 0.04, 0.03}), (Values{0.03, 0.06, 0.06}));
    EXPECT_EQ(holm(Values{0.9, 0.8}), (Values{1, 1}));
    EXPECT_TRUE(holm(Values{}).empty());
}

}  // namespace
}  // namespace esper::records
