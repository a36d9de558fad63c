#include "esper/services/tamiyo/analyzer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/base/random.h"
#include "esper/services/tamiyo/trend.h"

namespace esper::tamiyo {
namespace {

using Values = std::vector<std::optional<double>>;

TEST(RobustSlope, IsTheSlopeOfALineHoweverManyOutliersBelow29Percent) {
    Values line;
    for (int i = 0; i < 20; ++i) line.push_back(3.0 - 0.25 * i);
    EXPECT_DOUBLE_EQ(*robust_slope(line), -0.25);
    line[3] = 1e6;
    line[8] = -1e6;
    line[15] = 4e5;
    line[19] = std::nan("");
    EXPECT_NEAR(*robust_slope(line), -0.25, 0.02);
    line[5] = std::nullopt;
    EXPECT_NEAR(*robust_slope(line), -0.25, 0.02);
}

TEST(RobustSlope, OfLessThanTwoPointsIsUnmeasured) {
    EXPECT_FALSE(robust_slope(Values{}));
    EXPECT_FALSE(robust_slope(Values{1.0}));
    EXPECT_FALSE(robust_slope(Values{1.0, std::nullopt, std::nan("")}));
    EXPECT_DOUBLE_EQ(*robust_slope(Values{1.0, std::nullopt, 2.0}), 0.5);
}

TEST(LossTrend, TellsAPlateauFromProgress) {
    Values falling;
    for (int i = 0; i < 10; ++i) falling.push_back(std::pow(0.98, i));
    EXPECT_EQ(loss_trend(falling, 3, 0.005).plateau, false);
    EXPECT_EQ(loss_trend(falling, 3, 0.05).plateau, true) << "2 % an epoch is less than 5 %";
    EXPECT_NEAR(*loss_trend(falling, 3, 0.005).relative_gain, 0.02, 0.001);
    EXPECT_EQ(loss_trend(Values(10, 0.7), 3, 0.005).plateau, true);
    EXPECT_EQ(loss_trend(Values{1, 1.1, 1.2, 1.3}, 3, 0.0).plateau, true)
        << "rising is no progress";
}

TEST(LossTrend, LooksAtTheLastEpochsOnly) {
    Values values;
    for (int i = 0; i < 10; ++i) values.push_back(10.0 - i);
    for (int i = 0; i < 4; ++i) values.push_back(1.0);
    EXPECT_EQ(loss_trend(values, 3, 0.005).plateau, true);
    EXPECT_EQ(loss_trend(values, 12, 0.005).plateau, false);
}

TEST(LossTrend, TooFewEpochsTellNothing) {
    EXPECT_FALSE(loss_trend(Values{}, 3, 0.005).plateau);
    EXPECT_FALSE(loss_trend(Values(3, 1.0), 3, 0.005).plateau);
    EXPECT_TRUE(loss_trend(Values(4, 1.0), 3, 0.005).plateau);
    EXPECT_FALSE(loss_trend(Values(4, std::nullopt), 3, 0.005).plateau);
}

TEST(LossTrend, NoiseAloneIsAPlateauNearlyAlways) {
    int stuck = 0;
    for (std::uint64_t run = 0; run < 200; ++run) {
        RandomStream r(1, "noise", run);
        Values values;
        for (int i = 0; i < 11; ++i) values.push_back(1.0 + 0.01 * r.normal());
        stuck += loss_trend(values, 10, 0.005).plateau.value();
    }
    EXPECT_GT(stuck, 195);
}

ControllerView three_slots() {
    ControllerView view;
    for (std::uint32_t i = 0; i < 3; ++i) {
        view.slots.push_back(
            {.index = i,
             .signals = {.activation_variance = 1.0, .dead_ratio = 0.0, .gradient_norm = 0.1}});
    }
    return view;
}

TEST(HealthAnalyzer, EqualAndAliveSlotsAreHealthy) {
    HealthAnalyzer analyzer;
    analyzer.observe(three_slots());
    for (std::uint32_t i = 0; i < 3; ++i) EXPECT_DOUBLE_EQ(*analyzer.health(i), 1.0);
    EXPECT_EQ(HealthAnalyzer::verdict(1.0), contracts::HealthVerdict::kHealthy);
    EXPECT_EQ(HealthAnalyzer::verdict(0.7), contracts::HealthVerdict::kWarning);
    EXPECT_EQ(HealthAnalyzer::verdict(0.59), contracts::HealthVerdict::kCritical);
}

TEST(HealthAnalyzer, DeadUnitsCollapsedActivationsAndLostGradientsCostHealth) {
    for (int what = 0; what < 3; ++what) {
        ControllerView view = three_slots();
        SlotSignals& sick = view.slots[1].signals;
        if (what == 0) sick.dead_ratio = 0.9;
        if (what == 1) sick.activation_variance = 1e-3;
        if (what == 2) sick.gradient_norm = 100.0;
        HealthAnalyzer analyzer;
        analyzer.observe(view);
        EXPECT_LT(*analyzer.health(1), 0.75) << what;
        EXPECT_DOUBLE_EQ(*analyzer.health(0), 1.0);
    }
}

TEST(HealthAnalyzer, UnmeasuredIsLeftOutAndNotTakenForZero) {
    ControllerView view = three_slots();
    view.slots[0].signals = {};
    view.slots[1].signals = {.dead_ratio = 0.25};
    view.slots[2].signals.activation_variance = std::nan("");
    HealthAnalyzer analyzer;
    EXPECT_FALSE(analyzer.health(0));
    analyzer.observe(view);
    EXPECT_FALSE(analyzer.health(0));
    EXPECT_DOUBLE_EQ(*analyzer.health(1), 0.75);
    EXPECT_DOUBLE_EQ(*analyzer.health(2), 1.0);
    EXPECT_FALSE(analyzer.health(99));
}

TEST(HealthAnalyzer, OneBadEpochIsSmoothedAndALastingOneIsNot) {
    HealthAnalyzer analyzer(0.1);
    ControllerView view = three_slots();
    for (int i = 0; i < 20; ++i) analyzer.observe(view);
    view.slots[0].signals.dead_ratio = 1.0;
    analyzer.observe(view);
    EXPECT_GT(*analyzer.health(0), 0.95);
    for (int i = 0; i < 60; ++i) analyzer.observe(view);
    EXPECT_LT(*analyzer.health(0), 0.7);
}

TEST(HealthAnalyzer, GoesOnExactlyWhereItWasSaved) {
    HealthAnalyzer straight;
    HealthAnalyzer resumed;
    ControllerView view = three_slots();
    for (int i = 0; i < 30; ++i) {
        RandomStream r(5, "health", static_cast<std::uint64_t>(i));
        for (SlotView& slot : view.slots) {
            slot.signals = {.activation_variance = r.uniform(), .dead_ratio = r.uniform()};
        }
        straight.observe(view);
        resumed.observe(view);
        const std::string saved = resumed.save().dump();
        resumed = HealthAnalyzer();
        ASSERT_TRUE(resumed.restore(nlohmann::json::parse(saved)));
        for (std::uint32_t s = 0; s < 3; ++s) EXPECT_EQ(straight.health(s), resumed.health(s));
    }
    EXPECT_FALSE(resumed.restore(nlohmann::json::parse(R"({"slots":[[1]]})")));
    EXPECT_EQ(straight.health(1), resumed.health(1));
}

}  // namespace
}  // namespace esper::tamiyo
