// Each policy that grows, in a real run: it germinates for the reason it names, and resumes
// exactly.

#include <algorithm>
#include <cmath>

#include "tolaria/resumed_runs.h"
#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;
using configs::Policy;

/// Three blueprints, a window that opens early, and a loss that counts as stuck when it falls by
/// less than a tenth of itself an epoch.
configs::EsperConfig under(Policy policy) {
    auto config = growing();
    config.growth.blueprints = {"low_rank", "bottleneck_mlp", "transformer_block"};
    config.growth.seeds_per_anchor = 2;
    config.growth.limits.max_in_flight = 2;
    config.controller.policy = policy;
    config.controller.period = configs::Duration::epochs(2);
    config.controller.plateau.patience = 2;
    config.controller.plateau.threshold = 0.1;
    return config;
}

struct RunOf {
    Folder folder;
    std::vector<nlohmann::json> germinations;
    std::vector<double> losses;  ///< of validation, by epoch

    RunOf(const configs::EsperConfig& config, const std::string& name) : folder(name) {
        EXPECT_EQ(value_or_throw(start(config, folder.path)->run()), RunStatus::kDone);
        germinations = decisions_of(folder.path, "germinate");
        for (const auto& row : metrics_of(folder.path))
            losses.push_back(std::stod(row.at("val_loss")));
    }
};

void expect_exact_in_each_state(const configs::EsperConfig& config, const RunOf& whole,
                                const std::string& name) {
    Folder pieces(name);
    const auto last = config.run.epochs * config.run.steps_per_epoch;
    run_in_pieces(config, pieces.path, steps_in_each_state(whole.folder.path, last));
    expect_same_run(whole.folder.path, pieces.path);
    expect_replays(pieces.path);
}

/// Share of itself by which the validation loss fell an epoch, over the last two epochs before
/// `epoch`: the median of the slopes between their three values, of the last value.
double fall_before(const std::vector<double>& losses, std::size_t epoch) {
    const double a = losses.at(epoch - 3);
    const double b = losses.at(epoch - 2);
    const double c = losses.at(epoch - 1);
    std::vector<double> slopes{b - a, c - b, (c - a) / 2};
    std::sort(slopes.begin(), slopes.end());
    return -slopes[1] / c;
}

TEST(Policies, HeuristicGerminatesWhereTheMeasuredGainPaysAndResumesExactly) {
    const auto config = under(Policy::kHeuristic);
    const RunOf run(config, "heuristic");
    ASSERT_GE(run.germinations.size(), 1U);
    for (const auto& decision : run.germinations) {
        const auto& evidence = decision.at("evidence");
        const double gain = evidence.at("predicted_gain");
        EXPECT_GT(gain, 0) << decision;
        EXPECT_DOUBLE_EQ(evidence.at("score").get<double>(),
                         gain / evidence.at("relative_flops").get<double>())
            << decision;
        EXPECT_GT(evidence.at("flops_ratio_after"), 1) << decision;
        // One of the three reasons, with the numbers it rests on.
        const auto reason = decision.at("reason").get<std::string>();
        if (reason.find("count as progress") != std::string::npos) {
            EXPECT_LT(evidence.at("relative_gain_per_epoch"), config.controller.plateau.threshold);
        } else if (reason.find("half of the window") != std::string::npos) {
            // From 1 % to 90 % of 60 steps.
            EXPECT_GE(decision.at("step"), 27);
        } else {
            EXPECT_GE(gain, evidence.at("gain_by_more_steps").get<double>()) << decision;
        }
        // The gain was measured at this boundary.
        bool measured = false;
        for (const auto& readout : events_of(run.folder.path, "readout"))
            measured |= readout.at("step") == decision.at("step") &&
                        readout.at("blueprint") == decision.at("blueprint");
        EXPECT_TRUE(measured) << decision;
    }
    expect_exact_in_each_state(config, run, "heuristic-pieces");
}

TEST(Policies, PlateauGerminatesWhenTheValidationLossIsStuckAndResumesExactly) {
    const auto config = under(Policy::kPlateau);
    const RunOf run(config, "plateau");
    ASSERT_GE(run.germinations.size(), 1U);
    for (const auto& decision : run.germinations) {
        const auto& evidence = decision.at("evidence");
        const double fall = evidence.at("relative_gain_per_epoch");
        EXPECT_LT(fall, config.controller.plateau.threshold) << decision;
        EXPECT_NE(decision.at("reason").get<std::string>().find("count as progress"),
                  std::string::npos);
    }
    // What it says of the loss is what metrics.csv says of it. Later, epochs in which a seed was
    // blended in are left out.
    const auto& first = run.germinations.front();
    const auto epoch = first.at("epoch").get<std::size_t>();
    ASSERT_GE(epoch, 3U);
    EXPECT_NEAR(first.at("evidence").at("relative_gain_per_epoch"), fall_before(run.losses, epoch),
                1e-9);
    // It did not wait longer than that.
    for (std::size_t before = 3; before < epoch; ++before)
        EXPECT_GE(fall_before(run.losses, before), config.controller.plateau.threshold) << before;
    expect_exact_in_each_state(config, run, "plateau-pieces");
}

TEST(Policies, PlateauThatIsNeverReachedGrowsNothing) {
    auto config = under(Policy::kPlateau);
    config.controller.plateau.threshold = 0;
    config.run.epochs = 5;
    config.optimization.learning_rate = 0.002;  // the loss falls all the way
    const RunOf run(config, "no-plateau");
    for (std::size_t i = 1; i < run.losses.size(); ++i) ASSERT_LT(run.losses[i], run.losses[i - 1]);
    EXPECT_TRUE(run.germinations.empty());
}

TEST(Policies, RandomGerminatesByADrawAndMeasuresNoGainsAndResumesExactly) {
    const auto config = under(Policy::kRandom);
    const RunOf run(config, "random");
    ASSERT_GE(run.germinations.size(), 1U);
    for (const auto& decision : run.germinations) {
        const auto& evidence = decision.at("evidence");
        EXPECT_EQ(evidence.at("chance"), 0.5) << "an epoch of a period of two";
        EXPECT_LT(evidence.at("draw"), 0.5) << decision;
        EXPECT_GE(evidence.at("draw"), 0) << decision;
        EXPECT_FALSE(evidence.contains("predicted_gain")) << decision;
    }
    expect_exact_in_each_state(config, run, "random-pieces");
}

TEST(Policies, RandomDrawsOtherMomentsAndPlacesUnderAnotherSeed) {
    std::set<std::string> stories;
    for (std::uint64_t seed : {3U, 4U, 5U}) {
        auto config = under(Policy::kRandom);
        config.run.seed = seed;
        config.run.epochs = 7;
        const RunOf run(config, "random-seed");
        std::string story;
        for (const auto& d : run.germinations)
            story += d.at("step").dump() + d.at("anchor").dump() + d.at("blueprint").dump();
        stories.insert(story);
    }
    EXPECT_GE(stories.size(), 2U);
}

}  // namespace
}  // namespace esper::tolaria
