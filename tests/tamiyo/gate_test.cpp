#include "esper/services/tamiyo/gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

namespace esper::tamiyo {
namespace {

TEST(ConfidenceSequence, TheRadiusIsTheFormulaOfTheDesign) {
    ConfidenceSequence sequence(0.01, 4);
    for (const double x : {1.0, 2.0, 4.0, 9.0, 4.0}) sequence.add(x);
    EXPECT_DOUBLE_EQ(sequence.mean(), 4.0);
    const double s = std::sqrt((9.0 + 4.0 + 0 + 25.0 + 0) / 4.0);
    EXPECT_DOUBLE_EQ(sequence.deviation(), s);
    // t = 5, rho² = 1/4: tρ²+1 = 2.25, t²ρ² = 6.25.
    EXPECT_DOUBLE_EQ(sequence.radius(), s * std::sqrt(2 * 2.25 / 6.25 * std::log(1.5 / 0.01)));
}

TEST(ConfidenceSequence, BelowTheSmallestSampleNothingIsKnown) {
    ConfidenceSequence sequence(0.05, 3);
    sequence.add(1);
    sequence.add(2);
    EXPECT_EQ(sequence.lower(), -std::numeric_limits<double>::infinity());
    EXPECT_EQ(sequence.upper(), std::numeric_limits<double>::infinity());
    sequence.add(3);
    EXPECT_TRUE(std::isfinite(sequence.radius()));
}

TEST(Look, KeepsWhatSavesMoreThanTheRentAndCullsWhatSavesLess) {
    std::vector<float> d;
    for (int i = 0; i < 4000; ++i) d.push_back(i % 2 == 0 ? 0.0f : 0.2f);  // mean 0.1
    const GateResult kept = look(d, {.n0 = 500, .rent = 0.05, .delta_k = 0.02});
    EXPECT_EQ(kept.verdict, Verdict::kKeep);
    EXPECT_GT(kept.lower, 0.05);
    EXPECT_LT(kept.t, 4000);
    EXPECT_GE(kept.t, 500);
    EXPECT_EQ(kept.delta, 0.02);
    EXPECT_NEAR(kept.mean, 0.1, 1e-3);

    const GateResult culled = look(d, {.n0 = 500, .rent = 0.15, .delta_k = 0.02});
    EXPECT_EQ(culled.verdict, Verdict::kCull);
    EXPECT_LT(culled.upper, 0.15);

    const GateResult held = look(d, {.n0 = 500, .rent = 0.0999, .delta_k = 0.02});
    EXPECT_EQ(held.verdict, Verdict::kHold);
    EXPECT_EQ(held.t, 4000);
    EXPECT_LT(held.lower, 0.0999);
    EXPECT_GT(held.upper, 0.0999);
}

/// n differences of the two values in turn.
std::vector<float> in_turn(std::int64_t n, float one, float two) {
    std::vector<float> d;
    for (std::int64_t i = 0; i < n; ++i) d.push_back(i % 2 == 0 ? one : two);
    return d;
}

TEST(NextRound, BeginsWithTheSmallestSampleAndDoublesWhileTheVerdictIsOpen) {
    const GateSpec spec{.n0 = 100, .rent = 0, .delta_k = 0.05};
    EXPECT_EQ(next_round({}, spec, 5000), 100);
    EXPECT_EQ(next_round({}, spec, 60), 60) << "no more than there are";
    const auto unclear = in_turn(100, -1.0f, 1.2f);
    EXPECT_EQ(next_round(unclear, spec, 5000), 200);
    EXPECT_EQ(next_round(unclear, spec, 150), 150);
    EXPECT_EQ(next_round(unclear, spec, 100), 0);
}

TEST(NextRound, EndsWithACullAtOnceAndWithAKeepThatFourTimesAsManyExamplesConfirm) {
    const GateSpec spec{.n0 = 100, .rent = 0, .delta_k = 0.05};
    EXPECT_EQ(next_round(in_turn(100, -1.0f, -1.1f), spec, 5000), 0);
    EXPECT_EQ(next_round(in_turn(100, 1.0f, 1.1f), spec, 5000), 400);
    EXPECT_EQ(next_round(in_turn(100, 1.0f, 1.1f), spec, 300), 300) << "no more than there are";
    EXPECT_EQ(next_round(in_turn(200, 1.0f, 1.1f), spec, 5000), 400);
    EXPECT_EQ(next_round(in_turn(400, 1.0f, 1.1f), spec, 5000), 0);
    const GateSpec before_another{.n0 = 100, .rent = 0, .delta_k = 0.05, .confirmed_by = 1};
    EXPECT_EQ(next_round(in_turn(100, 1.0f, 1.1f), before_another, 5000), 0);
}

TEST(NextRound, EndsWhereAllExamplesTogetherCouldNotKeep) {
    const GateSpec spec{.n0 = 100, .rent = 0.5, .delta_k = 0.05};
    EXPECT_EQ(next_round(in_turn(400, -1.0f, 1.0f), {.n0 = 400, .rent = 0.3, .delta_k = 0.05}, 800),
              0)
        << "it may be 0.15 at best";
    EXPECT_GT(
        next_round(in_turn(400, -1.0f, 1.9f), {.n0 = 400, .rent = 0.3, .delta_k = 0.05}, 8000), 0);
    EXPECT_EQ(next_round(in_turn(100, 0.0f, 0.0f), spec, 5000), 0) << "a cull";
}

TEST(Look, TooFewExamplesHoldHoweverGoodTheyAre) {
    const std::vector<float> d(499, 1.0f);
    const GateResult r = look(d, {.n0 = 500, .rent = 0, .delta_k = 0.05});
    EXPECT_EQ(r.verdict, Verdict::kHold);
    EXPECT_EQ(r.t, 499);
    EXPECT_TRUE(to_json(r).at("lower").is_null());
    EXPECT_EQ(look({}, {}).verdict, Verdict::kHold);
    EXPECT_TRUE(to_json(look({}, {})).at("mean").is_null()) << "unmeasured is not zero";
}

TEST(Look, ASeedThatBreaksOneExampleIsCulled) {
    std::vector<float> d(2000, 1.0f);
    d.back() = -std::numeric_limits<float>::infinity();
    EXPECT_EQ(look(d, {}).verdict, Verdict::kCull);
    d.back() = std::nanf("");
    const GateResult r = look(d, {});
    EXPECT_EQ(r.verdict, Verdict::kCull);
    EXPECT_EQ(r.not_finite, 1);
    EXPECT_TRUE(to_json(r).at("mean").is_null());
}

TEST(Look, ASpecWithoutSenseNeverDecides) {
    const std::vector<float> d(2000, 1.0f);
    for (const double delta : {0.0, -1.0, 1.0, 2.0, std::nan("")}) {
        EXPECT_EQ(look(d, {.n0 = 2, .rent = 0, .delta_k = delta}).verdict, Verdict::kHold) << delta;
    }
    EXPECT_EQ(look(d, {.n0 = 2, .rent = std::nan(""), .delta_k = 0.05}).verdict, Verdict::kHold);
    EXPECT_EQ(look(d, {.n0 = -5, .rent = 0, .delta_k = 0.05}).verdict, Verdict::kKeep);
}

TEST(Look, ASeedWithoutAnyEffectNeverEarnsItsRent) {
    const std::vector<float> d(5000, 0.0f);
    EXPECT_EQ(look(d, {.n0 = 500, .rent = 0, .delta_k = 0.05}).verdict, Verdict::kHold);
    EXPECT_EQ(look(d, {.n0 = 500, .rent = 1e-4, .delta_k = 0.05}).verdict, Verdict::kCull);
}

TEST(ErrorBudget, AllSeedsAndAllLooksTogetherSpendDelta) {
    EXPECT_DOUBLE_EQ(error_of_seed(0.05, 1), 0.025);
    EXPECT_DOUBLE_EQ(error_of_seed(0.05, 4), 0.0025);
    double seeds = 0;
    double looks = 0;
    for (int i = 1; i <= 20000; ++i) {
        seeds += error_of_seed(0.05, i);
        looks += error_of_look(0.025, i);
    }
    EXPECT_LE(seeds, 0.05);
    EXPECT_NEAR(seeds, 0.05, 1e-5);
    EXPECT_LE(looks, 0.025);
    EXPECT_NEAR(looks, 0.025, 1e-5);
}

TEST(Rent, GrowsWithWhatTheSeedCosts) {
    configs::GateConfig gate;
    gate.rent = 0.02;
    gate.rent_parameters = 0.1;
    EXPECT_DOUBLE_EQ(rent_of(gate, 0.5, 0.25), 0.01 + 0.025);
    EXPECT_EQ(rent_of(gate, 0, 0), 0);
}

TEST(ProbeOrder, IsAFixedPermutationOfTheRun) {
    const auto order = probe_order(7, 1000);
    EXPECT_EQ(order, probe_order(7, 1000));
    EXPECT_NE(order, probe_order(8, 1000));
    EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
    auto sorted = order;
    std::sort(sorted.begin(), sorted.end());
    for (std::uint32_t i = 0; i < 1000; ++i) EXPECT_EQ(sorted[i], i);
}

}  // namespace
}  // namespace esper::tamiyo
