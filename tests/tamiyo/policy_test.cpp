#include "esper/services/tamiyo/policy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "tamiyo/toy_trainer.h"

namespace esper::tamiyo {
namespace {

using enum AdaptationCommand;
using configs::Policy;

std::vector<std::int64_t> epochs_of(const ToyTrainer& t, const std::string& state) {
    std::vector<std::int64_t> found;
    for (const std::string& move : t.path) {
        if (move.starts_with(state + "@"))
            found.push_back(std::stoll(move.substr(state.size() + 1)));
    }
    return found;
}

ToyTrainer trainer(Policy policy, configs::GrowthConfig growth = short_lives(),
                   configs::ControllerConfig config = {}) {
    config.policy = policy;
    return ToyTrainer(growth, config, short_run(), 8);
}

/// A loss that falls by 5 % per epoch and then stays constant.
auto falls_until(std::int64_t epoch) {
    return [epoch](std::int64_t now) -> std::optional<double> {
        return std::pow(0.95, static_cast<double>(std::min(now, epoch)));
    };
}

TEST(PeriodicPolicy, GerminatesWhenThePeriodHasPassedAndThereIsRoom) {
    configs::ControllerConfig config;
    config.period = configs::Duration::epochs(10);
    ToyTrainer t = trainer(Policy::kPeriodic, short_lives(), config);
    t.to_the_end();
    EXPECT_EQ(epochs_of(t, "GERMINATED"), (std::vector<std::int64_t>{6, 16, 26, 36, 46}));
    config.period = configs::Duration::epochs(3);  // shorter than a seed's life of 7 epochs
    ToyTrainer busy = trainer(Policy::kPeriodic, short_lives(), config);
    busy.epochs(21);
    EXPECT_EQ(epochs_of(busy, "GERMINATED"), (std::vector<std::int64_t>{6, 13, 20}));
}

TEST(PeriodicPolicy, TakesTheBestPairAndNamesTheOthers) {
    ToyTrainer t = trainer(Policy::kPeriodic);
    t.gain = [](const Candidate& c) { return c.slot == 2 ? 0.5 : 0.1; };
    t.epochs(6);
    const Decision d = t.of(kGerminate).at(0);
    EXPECT_EQ(d.anchor, "layer2");
    EXPECT_EQ(d.blueprint, "mlp");
    EXPECT_DOUBLE_EQ(d.evidence.at("predicted_gain"), 0.5);
    EXPECT_DOUBLE_EQ(d.evidence.at("score"), 5);
    EXPECT_DOUBLE_EQ(d.evidence.at("flops_ratio_after"), 1.1);
    ASSERT_EQ(d.alternatives.size(), 7u);
    EXPECT_DOUBLE_EQ(d.alternatives[0].score.value(), 1);
    EXPECT_FALSE(d.alternatives.back().score.has_value()) << "5 places and 1 random entrant of 8";
}

TEST(PeriodicPolicy, GerminatesNothingWhereEveryGainIsRejected) {
    ToyTrainer t = trainer(Policy::kPeriodic);
    t.candidates = [](const ControllerView&) {
        return std::vector<Candidate>{{.slot = 0, .blueprint = "mlp", .relative_flops = 0.1}};
    };
    t.gain = [](const Candidate&) { return 0.0; };
    t.epochs(20);
    EXPECT_TRUE(t.decisions.empty());
    EXPECT_NE(t.controller.waiting_for().find("no blueprint"), std::string::npos);
}

TEST(PlateauPolicy, WaitsUntilTheLossIsStuck) {
    ToyTrainer t = trainer(Policy::kPlateau);
    t.loss = falls_until(20);
    t.epochs(19);
    EXPECT_TRUE(t.decisions.empty());
    EXPECT_NE(t.controller.waiting_for().find("at least"), std::string::npos)
        << t.controller.waiting_for();
    EXPECT_EQ(t.gains_measured, 0) << "nothing to choose from, nothing to measure";
    t.epochs(4);
    EXPECT_EQ(epochs_of(t, "GERMINATED"), std::vector<std::int64_t>{22})
        << "the median slope over patience 3 is flat once two of four epochs stood still";
    EXPECT_LT(t.of(kGerminate).at(0).evidence.at("relative_gain_per_epoch"), 0.005);
}

TEST(PlateauPolicy, JudgesTheGrownNetworkByItsOwnEpochs) {
    ToyTrainer t = trainer(Policy::kPlateau);
    t.loss = [](std::int64_t) { return 1.0; };
    t.epochs(30);
    const auto births = epochs_of(t, "GERMINATED");
    const auto fossils = epochs_of(t, "FOSSILIZED");
    ASSERT_GE(births.size(), 2u);
    EXPECT_GE(births[1], fossils[0] + 3) << "patience starts anew when a seed has settled";
}

TEST(PlateauPolicy, AnUnmeasuredLossIsNoPlateau) {
    ToyTrainer t = trainer(Policy::kPlateau);
    t.loss = [](std::int64_t) { return std::nullopt; };
    t.epochs(30);
    EXPECT_TRUE(t.decisions.empty());
    EXPECT_NE(t.controller.waiting_for().find("too few"), std::string::npos);
}

TEST(RandomPolicy, GerminatesOnceAPeriodOnAverageAndDiffersBySeed) {
    configs::GrowthConfig growth = short_lives();
    growth.limits.max_in_flight = 1000;
    growth.limits.max_adaptations_per_epoch = 1;
    growth.limits.max_fossilized = 1000;
    growth.limits.max_flops_ratio = 1000;
    configs::ControllerConfig config = with_policy(Policy::kRandom);
    config.period = configs::Duration::epochs(4);
    double births = 0;
    std::set<std::vector<std::int64_t>> histories;
    std::set<std::string> anchors;
    const int runs = 40;
    for (int seed = 0; seed < runs; ++seed) {
        ToyTrainer t(growth, config, short_run(static_cast<std::uint64_t>(seed)), 30);
        t.to_the_end();
        births += static_cast<double>(t.of(kGerminate).size());
        histories.insert(epochs_of(t, "GERMINATED"));
        for (const Decision& d : t.of(kGerminate)) anchors.insert(d.anchor);
        EXPECT_EQ(t.gains_measured, 0);
    }
    // Open from epoch 6 to 48: 43 boundaries.
    EXPECT_NEAR(births / runs, 43 / 4.0, 1.5);
    EXPECT_GT(histories.size(), 35u);
    EXPECT_EQ(anchors.size(), 30u);
}

TEST(NeverPolicy, NeverDoes) {
    ToyTrainer t = trainer(Policy::kNever);
    t.to_the_end();
    EXPECT_TRUE(t.decisions.empty());
    EXPECT_EQ(t.gains_measured, 0);
}

TEST(HeuristicPolicy, GrowsWhereGrowingIsTheBetterBuy) {
    // The loss falls by 0.01 an epoch; at epoch 10 there are 50 left, so 10 % more steps would
    // bring 0.05.
    const auto run_with = [](double gain) {
        configs::GrowthConfig growth = short_lives();
        growth.start = 10.0 / 60;
        growth.stop = 0.8;
        ToyTrainer t = trainer(Policy::kHeuristic, growth);
        t.loss = [](std::int64_t e) { return 1.0 - 0.01 * static_cast<double>(e); };
        t.gain = [gain](const Candidate&) { return gain; };
        t.epochs(10);
        return t;
    };
    const ToyTrainer grows = run_with(0.06);
    ASSERT_EQ(grows.of(kGerminate).size(), 1u);
    EXPECT_NEAR(grows.of(kGerminate)[0].evidence.at("gain_by_more_steps"), 0.05, 1e-9);
    const ToyTrainer waits = run_with(0.04);
    EXPECT_TRUE(waits.of(kGerminate).empty());
    EXPECT_NE(waits.controller.waiting_for().find("more steps"), std::string::npos)
        << waits.controller.waiting_for();
}

TEST(HeuristicPolicy, TakesAMeasuredGainOnceHalfOfTheWindowIsOver) {
    configs::GrowthConfig growth = short_lives();
    growth.start = 0.1;
    growth.stop = 0.5;
    ToyTrainer t = trainer(Policy::kHeuristic, growth);
    t.loss = [](std::int64_t e) { return 100.0 - static_cast<double>(e); };
    t.gain = [](const Candidate&) { return 1e-6; };
    t.epochs(30);
    ASSERT_FALSE(epochs_of(t, "GERMINATED").empty());
    EXPECT_GE(epochs_of(t, "GERMINATED")[0], 18);
    EXPECT_LE(epochs_of(t, "GERMINATED")[0], 18 + 5) << "within a period of measuring";
    EXPECT_NE(t.of(kGerminate).at(0).reason.find("half of the window"), std::string::npos);
}

TEST(HeuristicPolicy, WithoutAMeasuredGainItGrowsOnlyWhenTheLossIsStuck) {
    ToyTrainer t = trainer(Policy::kHeuristic);
    t.gain = [](const Candidate&) { return std::nullopt; };
    t.loss = falls_until(30);
    t.epochs(30);
    EXPECT_TRUE(t.decisions.empty());
    t.epochs(4);
    EXPECT_EQ(t.of(kGerminate).size(), 1u);
}

TEST(HeuristicPolicy, MeasuresGainsAtMostOnceAPeriodWhileTheLossFalls) {
    ToyTrainer t = trainer(Policy::kHeuristic);
    t.loss = [](std::int64_t e) { return 100.0 * std::pow(0.9, static_cast<double>(e)); };
    t.gain = [](const Candidate&) { return 1e-9; };
    t.epochs(16);  // open since epoch 6, period 5: epochs 6, 11 and 16
    EXPECT_EQ(t.gains_measured, 3 * 6) << "5 places and a random entrant";
    EXPECT_TRUE(t.decisions.empty());
}

TEST(EveryPolicyThatGrows, StaysWithinTheFlopsOfTheRunEvenWithinOneBoundary) {
    configs::GrowthConfig growth = short_lives();
    growth.limits.max_in_flight = 8;
    growth.limits.max_adaptations_per_epoch = 8;
    growth.limits.max_flops_ratio = 1.25;
    ToyTrainer t = trainer(Policy::kPeriodic, growth);
    t.epochs(6);
    EXPECT_EQ(t.of(kGerminate).size(), 2u) << "a tenth more each, a quarter allowed";
}

}  // namespace
}  // namespace esper::tamiyo
