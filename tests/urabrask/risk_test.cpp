#include "esper/services/urabrask/risk.h"

#include <gtest/gtest.h>

#include <cmath>

#include "esper/services/urabrask/tags.h"

namespace esper::urabrask {
namespace {

using Tags = std::vector<std::string>;

TEST(Risk, RisesWithEachOfItsFigures) {
    const double usual = measured_risk({0.25, 0.1, 0.8});
    EXPECT_NEAR(usual, 1 / (1 + std::exp(5 - 1 - 0.2)), 1e-12);
    EXPECT_GT(measured_risk({0.5, 0.1, 0.8}), usual);
    EXPECT_GT(measured_risk({0.25, 0.4, 0.8}), usual);
    EXPECT_GT(measured_risk({0.25, 0.1, 2}), usual);
    EXPECT_EQ(measured_risk({0.25, 0.1, 0.1}), usual) << "less memory than the operators";
    EXPECT_EQ(measured_risk({0.25, 5, 0.8}), measured_risk({0.25, 1, 0.8}));
    EXPECT_EQ(measured_risk({0.25, 0.1, 99}), measured_risk({0.25, 0.1, kMostMemory}));
}

TEST(Risk, OnlyAKernelThatUsedItsBoundAndIsOfUnsureSpeedIsSpeculative) {
    EXPECT_LE(measured_risk({0, 0, 1}), 0.01);
    EXPECT_LE(measured_risk({0.5, 0.2, 1}), 0.2);
    EXPECT_LE(measured_risk({1, 0.2, 1}), 0.5);
    EXPECT_GT(measured_risk({1, 0.9, 1}), 0.5);
}

TEST(Risk, WithoutFieldReportsItIsTheTrials) { EXPECT_DOUBLE_EQ(risk_score(0.07, {}, {}), 0.07); }

TEST(Risk, TheLibraryCorrectsTheOddsByItsCounts) {
    // 9 failures where 4 were expected: twice the odds, 0.25 to 0.5.
    EXPECT_NEAR(risk_score(0.2, {100, 9, 4}, {}), 1.0 / 3, 1e-12);
    EXPECT_LT(risk_score(0.2, {100, 0, 4}, {}), 0.05);
}

TEST(Risk, UsesOfTheBlueprintAreAddedToTheFiveOfThePrediction) {
    EXPECT_NEAR(risk_score(0.2, {}, {5, 4, 1}), (5 * 0.2 + 4) / 10, 1e-12);
    EXPECT_NEAR(risk_score(0.2, {}, {45, 0, 9}), 1.0 / 50, 1e-12);
}

TEST(Risk, FiguresAreThoseOfTheFirstShape) {
    Findings findings;
    findings.error = 1e-6;
    findings.allowed = 4e-6;
    ShapeSpeed speed{{8, 8}, {1, 2, 2, 1.8, 2.2, 25}};
    speed.peak_bytes = 300;
    speed.peer_peak_bytes = 200;
    findings.speeds = {speed, ShapeSpeed{}};
    const auto figures = risk_figures(findings);
    EXPECT_DOUBLE_EQ(figures.error_share, 0.25);
    EXPECT_NEAR(figures.speed_spread, 0.2, 1e-12);
    EXPECT_DOUBLE_EQ(figures.memory_ratio, 1.5);
}

TEST(Risk, CalibrationCountsEachUseInTheBinOfItsPrediction) {
    std::vector<PredictedUse> uses{{0.0, false}, {0.05, false}, {0.2, true}, {0.51, true}};
    for (int i = 0; i < 40; ++i) uses.push_back({0.3, i % 2 == 0});
    const auto bins = calibration(uses);
    ASSERT_EQ(bins.size(), 5u);
    EXPECT_EQ(bins[0].uses, 2);
    EXPECT_EQ(bins[1].uses, 0);
    EXPECT_EQ(bins[1].high, 1.0) << "nothing is known";
    EXPECT_EQ(bins[2].failures, 1);
    EXPECT_EQ(bins[3].uses, 40);
    EXPECT_NEAR(bins[3].predicted, 0.3, 1e-12);
    // Half of them failed where 0.3 was predicted; Wilson's interval of 20 of 40.
    EXPECT_NEAR(bins[3].low, 0.352, 5e-4);
    EXPECT_NEAR(bins[3].high, 0.648, 5e-4);
    EXPECT_FALSE(bins[3].is_calibrated());
    EXPECT_TRUE(bins[0].is_calibrated());
    EXPECT_EQ(bins[4].uses, 1);
}

TEST(Tags, FixedThresholdsUntilTwentyKernelsAreKnown) {
    TagPopulation few;
    few.speeds.assign(kFewestForPercentiles - 1, 100);
    few.memory_ratios.assign(kFewestForPercentiles - 1, 0.01);
    EXPECT_EQ(tags_of({2.5, 0.4, 0.3}, few),
              (Tags{"high_speed", "low_memory", "numerically_stable"}));
    EXPECT_EQ(tags_of({1.5, 0.8, 0.9}, few), (Tags{"medium_speed"}));
    EXPECT_EQ(tags_of({0.9, 1.2, 0}, few), (Tags{"low_speed", "high_memory"}));
}

TEST(Tags, PercentilesOnceTwentyAreKnown) {
    TagPopulation many;
    for (int i = 1; i <= 20; ++i) {
        many.speeds.push_back(10.0 * i);
        many.memory_ratios.push_back(0.01 * i);
    }
    EXPECT_EQ(tags_of({170, 0.001, 0}, many), (Tags{"high_speed", "low_memory"}));
    EXPECT_EQ(tags_of({169.9, 0.1, 0}, many), (Tags{"medium_speed"}))
        << "four of twenty are faster";
    EXPECT_EQ(tags_of({70, 0.16, 0}, many), (Tags{"medium_speed", "high_memory"}));
    EXPECT_EQ(tags_of({60, 0.15, 0}, many), (Tags{"low_speed"}));
}

TEST(Tags, WhatWasNotMeasuredGivesNoTag) { EXPECT_EQ(tags_of({}, {}), Tags{}); }

}  // namespace
}  // namespace esper::urabrask
