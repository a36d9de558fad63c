// growth.strategy in a real run: α as the network reads it in each step of a seed's ramp.

#include "execution/ramp_formulas.h"
#include "tolaria/resumed_runs.h"
#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;
using contracts::GraftingStrategy;
using execution::SeedState;
using execution::testing_ramps::expected_alpha;

class Strategy : public testing::TestWithParam<GraftingStrategy> {};

TEST_P(Strategy, BlendsASeedInByItsFormulaAndKeepsItAtExactlyOne) {
    constexpr int kSteps = 9;
    auto config = growing();
    config.growth.strategy = GetParam();
    config.growth.graft_steps = kSteps;
    config.growth.gate.rent = -100;  // whatever the seed does, it is blended in
    Folder folder("strategy");
    auto trainer = start(config, folder.path);
    std::vector<double> alphas;
    double settled = 0;
    while (trainer->step() < trainer->length().total_steps) {
        run_one_step(*trainer);
        if (const auto slot = find_in(*trainer, SeedState::kGrafting)) {
            // At the boundary where it enters the state no step of the ramp is behind.
            alphas.push_back(
                value_or_throw(trainer->store().find("alpha." + slot->seed)).item<double>());
        } else if (const auto still = find_in(*trainer, SeedState::kStabilization)) {
            settled = value_or_throw(trainer->store().find("alpha." + still->seed)).item<double>();
            break;
        }
    }
    EXPECT_EQ(settled, 1.0) << "no seed was blended in";
    // At once means that the boundary at which it is blended in is the one at which it settles.
    if (GetParam() == GraftingStrategy::kInstant) {
        EXPECT_TRUE(alphas.empty());
        return;
    }
    ASSERT_GE(alphas.size(), 2U);
    // Nine steps are too few for a loss to drift: that needs twenty (ramp_test.cpp).
    for (std::size_t i = 0; i < alphas.size(); ++i)
        EXPECT_NEAR(alphas[i],
                    expected_alpha(GetParam(), std::min(1.0, static_cast<double>(i) / kSteps)),
                    6e-8)
            << "after " << i << " steps";
    EXPECT_EQ(alphas.front(), 0.0);
}

INSTANTIATE_TEST_SUITE_P(Every, Strategy,
                         testing::Values(GraftingStrategy::kLinear, GraftingStrategy::kCosine,
                                         GraftingStrategy::kSmoothstep, GraftingStrategy::kSigmoid,
                                         GraftingStrategy::kDriftControlled,
                                         GraftingStrategy::kInstant),
                         [](const auto& test) {
                             return std::string(contracts::to_text(test.param));
                         });

}  // namespace
}  // namespace esper::tolaria
