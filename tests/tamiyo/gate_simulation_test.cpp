// The gate's promises, tested on thousands of simulated seeds whose true effect is known.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <iterator>
#include <span>
#include <vector>

#include "esper/base/random.h"
#include "esper/services/tamiyo/gate.h"

namespace esper::tamiyo {
namespace {

using Draw = std::function<double(RandomStream&)>;

double gaussian(RandomStream& r) { return r.normal(); }
/// Student's t with 4 degrees of freedom: no fourth moment.
double heavy_tailed(RandomStream& r) {
    const double half_chi2 = -std::log((1 - r.uniform()) * (1 - r.uniform()));
    return r.normal() / std::sqrt(half_chi2 / 2);
}
/// Centred exponential: skewness 2.
double skewed(RandomStream& r) { return -std::log(1 - r.uniform()) - 1; }
double skewed_down(RandomStream& r) { return -skewed(r); }
/// Nine of ten examples see no difference at all.
double rare(RandomStream& r) { return r.uniform() < 0.9 ? 0.0 : r.normal(); }

/// Centred and negated lognormal: skewness -33.
double very_skewed(RandomStream& r) { return std::exp(1.125) - std::exp(1.5 * r.normal()); }
/// Most examples gain a little, a share of them loses much (an exponential of mean `size`); the
/// mean of all is 0.
Draw rare_harm(double share, double size, double noise) {
    return [=](RandomStream& r) {
        if (r.uniform() < share) return size * std::log(1 - r.uniform());
        return size * share / (1 - share) + noise * r.normal();
    };
}

/// The same examples, walked in rounds as a run walks them.
GateResult look_in_rounds(const std::vector<float>& d, const GateSpec& spec) {
    std::span<const float> walked;
    while (const auto next = next_round(walked, spec, std::ssize(d)))
        walked = std::span(d).first(static_cast<std::size_t>(next));
    auto result = look(walked, spec);
    result.t = std::ssize(walked);
    return result;
}

struct Shares {
    double kept = 0;
    double culled = 0;
    double examples = 0;
};
Shares simulate(const Draw& draw, double shift, const GateSpec& spec, int runs, int examples,
                bool rounds = false) {
    Shares shares;
    std::vector<float> d(static_cast<std::size_t>(examples));
    for (int run = 0; run < runs; ++run) {
        RandomStream r(1, "gate simulation", static_cast<std::uint64_t>(run));
        for (float& x : d) x = static_cast<float>(draw(r) + shift);
        const GateResult result = rounds ? look_in_rounds(d, spec) : look(d, spec);
        shares.kept += result.verdict == Verdict::kKeep;
        shares.culled += result.verdict == Verdict::kCull;
        shares.examples += static_cast<double>(result.t);
    }
    return {shares.kept / runs, shares.culled / runs, shares.examples / runs};
}

class UnderNoEffect : public testing::TestWithParam<std::pair<const char*, Draw>> {};

TEST_P(UnderNoEffect, TheShareOfSequencesThatEverCrossStaysBelowDelta) {
    for (const double delta : {0.05, 0.2}) {
        const Shares s =
            simulate(GetParam().second, 0, {.n0 = 200, .rent = 0, .delta_k = delta}, 2000, 1500);
        EXPECT_LE(s.kept + s.culled, delta) << GetParam().first;
        EXPECT_LE(s.kept, delta / 2 + 2 * std::sqrt(delta / 2 / 2000)) << GetParam().first;
        RecordProperty(std::string(GetParam().first) + std::to_string(delta),
                       std::to_string(s.kept) + " kept, " + std::to_string(s.culled) + " culled");
    }
}
TEST_P(UnderNoEffect, WalkedInRoundsNoMoreAreKept) {
    for (const double delta : {0.05, 0.2}) {
        const GateSpec spec{.n0 = 200, .rent = 0, .delta_k = delta};
        const Shares s = simulate(GetParam().second, 0, spec, 400, 3000, true);
        EXPECT_LE(s.kept, delta / 2 + 2 * std::sqrt(delta / 2 / 400)) << GetParam().first;
        RecordProperty(
            std::string(GetParam().first) + std::to_string(delta),
            std::to_string(s.kept) + " kept, " + std::to_string(s.examples) + " examples");
    }
}
INSTANTIATE_TEST_SUITE_P(
    Differences, UnderNoEffect,
    testing::Values(std::pair<const char*, Draw>{"gaussian", gaussian},
                    std::pair<const char*, Draw>{"heavy_tailed", heavy_tailed},
                    std::pair<const char*, Draw>{"skewed", skewed},
                    std::pair<const char*, Draw>{"skewed_down", skewed_down},
                    std::pair<const char*, Draw>{"rare", rare},
                    std::pair<const char*, Draw>{"very_skewed", very_skewed},
                    std::pair<const char*, Draw>{"harm_of_2_in_100", rare_harm(0.02, 10, 0.3)},
                    std::pair<const char*, Draw>{"harm_of_1_in_100", rare_harm(0.01, 10, 0.5)},
                    std::pair<const char*, Draw>{"large_harm_of_1_in_100",
                                                 rare_harm(0.01, 50, 0.5)},
                    std::pair<const char*, Draw>{"harm_of_1_in_200", rare_harm(0.005, 20, 0.5)}),
    [](const auto& test) { return std::string(test.param.first); });

TEST(GateSimulation, TheBoundIsNotEmptySomeSequencesDoCross) {
    // A radius that is far too wide would pass the tests above. With a large delta some must cross.
    const Shares s = simulate(gaussian, 0, {.n0 = 100, .rent = 0, .delta_k = 0.5}, 500, 4000);
    EXPECT_GT(s.kept + s.culled, 0.1);
    EXPECT_LE(s.kept + s.culled, 0.5);
}

TEST(GateSimulation, WithoutTheWaitForSkewedDifferencesRareHarmWouldOftenBeKept) {
    // Without the wait: the same walks, decided as soon as the bound passes the rent.
    const auto harm = rare_harm(0.01, 10, 0.5);
    int kept = 0;
    const int runs = 400;
    for (int run = 0; run < runs; ++run) {
        RandomStream r(1, "gate simulation", static_cast<std::uint64_t>(run));
        ConfidenceSequence sequence(0.05, 200);
        for (int t = 1; t <= 1500; ++t) {
            sequence.add(harm(r));
            if (sequence.lower() <= 0) continue;
            ++kept;
            break;
        }
    }
    EXPECT_GT(static_cast<double>(kept) / runs, 0.15);
}

TEST(GateSimulation, HarmOfOneInFiveHundredNeedsAProbeSetOfThousands) {
    // The probe set's limit: it has too few harmed examples to detect the harm.
    const GateSpec spec{.n0 = 500, .rent = 0, .delta_k = 0.05};
    EXPECT_LE(simulate(rare_harm(0.002, 50, 0.5), 0, spec, 300, 5000).kept, 0.05);
}

TEST(GateSimulation, ALookAfterEachExampleWithFixedSampleBoundsWouldBreakThePromise) {
    // For comparison: the textbook 95 % interval, tested after each example, errs far more often.
    int crossed = 0;
    const int runs = 400;
    for (int run = 0; run < runs; ++run) {
        RandomStream r(2, "fixed-sample", static_cast<std::uint64_t>(run));
        double sum = 0;
        double squares = 0;
        for (int t = 1; t <= 3000; ++t) {
            const double x = r.normal();
            sum += x;
            squares += x * x;
            if (t < 200) continue;
            const double mean = sum / t;
            if (std::abs(mean) > 1.96 * std::sqrt((squares / t - mean * mean) / t)) {
                ++crossed;
                break;
            }
        }
    }
    EXPECT_GT(static_cast<double>(crossed) / runs, 0.15);
}

TEST(GateSimulation, ARealEffectIsKeptAndAHarmfulOneCulled) {
    // An effect of a tenth of the deviation: 5,000 examples nearly always show it.
    const GateSpec spec{.n0 = 500, .rent = 0, .delta_k = error_of_look(error_of_seed(0.05, 1), 1)};
    const std::pair<Draw, double> with_deviation[] = {
        {gaussian, 1}, {heavy_tailed, std::sqrt(2.0)}, {skewed, 1}, {skewed_down, 1}};
    for (const auto& [draw, deviation] : with_deviation) {
        const Shares helps = simulate(draw, 0.1 * deviation, spec, 150, 5000);
        EXPECT_GT(helps.kept, 0.95);
        EXPECT_EQ(helps.culled, 0);
        EXPECT_LT(helps.examples, 4000) << "and mostly before all examples are walked";
        const Shares harms = simulate(draw, -0.1 * deviation, spec, 150, 5000);
        EXPECT_GT(harms.culled, 0.95);
        EXPECT_EQ(harms.kept, 0);
    }
}

TEST(GateSimulation, WalkedInRoundsARealEffectIsKeptWithFewerExamples) {
    const GateSpec spec{.n0 = 500, .rent = 0, .delta_k = error_of_look(error_of_seed(0.05, 1), 1)};
    const Shares helps = simulate(gaussian, 0.2, spec, 150, 5000, true);
    EXPECT_GT(helps.kept, 0.95);
    EXPECT_LT(helps.examples, 3500);
    // What no further example could make a keep is walked no further, decided or not.
    const Shares harms = simulate(gaussian, -0.2, spec, 150, 5000, true);
    EXPECT_GT(harms.culled, 0.5);
    EXPECT_EQ(harms.kept, 0);
    EXPECT_LT(harms.examples, 1500);
    const Shares nothing = simulate(gaussian, 0, spec, 150, 5000, true);
    EXPECT_LE(nothing.kept, spec.delta_k);
    EXPECT_LT(nothing.examples, 4500) << "some walks end where no more can be won";
}

TEST(GateSimulation, OverAWholeRunOfUselessSeedsTheErrorStaysWithinDelta) {
    // Eight useless seeds per run with three looks each. Every look may keep a seed by mistake.
    const double delta = 0.2;
    const int runs = 250;
    int mistaken = 0;
    std::vector<float> d(600);
    for (int run = 0; run < runs; ++run) {
        bool kept = false;
        for (int k = 1; k <= 8; ++k) {
            for (int l = 1; l <= 3; ++l) {
                RandomStream r(3, "whole run", static_cast<std::uint64_t>(run),
                               static_cast<std::uint32_t>(100 * k + l));
                for (float& x : d) x = static_cast<float>(r.normal());
                const double spent = error_of_look(error_of_seed(delta, k), l);
                kept |= look(d, {.n0 = 100, .rent = 0, .delta_k = spent}).verdict == Verdict::kKeep;
            }
        }
        mistaken += kept;
    }
    EXPECT_LE(static_cast<double>(mistaken) / runs, delta);
}

}  // namespace
}  // namespace esper::tamiyo
