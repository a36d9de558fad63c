// α over time under each strategy, as the network reads it: the control in the store.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "esper/blueprints/catalogue.h"
#include "esper/core/hosts/host.h"
#include "esper/execution/kasmina/kasmina_layer.h"
#include "esper/program/shapes.h"
#include "execution/ramp_formulas.h"

namespace esper::execution {
namespace {

using contracts::GraftingStrategy;
using testing_ramps::expected_alpha;
using testing_ramps::is_drift;

constexpr int kSteps = 40;
// The control is a float: half a unit in its last place, at most 1.
constexpr double kRounding = 6e-8;

/// One seed of a small MLP, about to be blended in.
struct Ramp : testing::TestWithParam<GraftingStrategy> {
    graph::ProgramPtr host = value_or_throw(core::make_host(
        {.kind = "mlp", .depth = 2, .width = 8, .classes = 4, .channels = 1, .image_size = 4}));
    graph::TensorStore store{{1, false}};
    std::unique_ptr<KasminaLayer> kasmina;

    void graft(GraftingStrategy strategy, std::int64_t steps) {
        ASSERT_TRUE(store.add(*host, "host"));
        std::vector<std::string> anchors;
        for (const auto& anchor : host->anchors()) anchors.push_back(anchor.name);
        kasmina = std::make_unique<KasminaLayer>(host, anchors, store);
        const auto& anchor = host->anchors().front();
        auto type = value_or_throw(graph::infer_types(*host))[anchor.value.value()];
        type.shape[0] = -1;
        const auto blueprint = value_or_throw(blueprints::make_blueprint("low_rank", anchor, type));
        ASSERT_TRUE(kasmina->germinate(0, "low_rank", blueprint.program, true, {1, 0}, "by hand"));
        ASSERT_TRUE(kasmina->graft(0, strategy, steps, {2, 0}, "by hand"));
    }
    double alpha() const { return value_or_throw(store.find("alpha.s1")).item<double>(); }
    bool is_complete() const { return kasmina->slots()[0].ramp.is_complete(); }
};

TEST_P(Ramp, FollowsItsFormulaAtEveryStepFromZeroToExactlyOne) {
    const auto strategy = GetParam();
    graft(strategy, kSteps);
    double before = -1;
    for (int step = 0; step <= kSteps; ++step) {
        EXPECT_NEAR(alpha(), expected_alpha(strategy, step / double{kSteps}), kRounding)
            << "after " << step << " steps";
        EXPECT_GE(alpha(), before) << "after " << step << " steps";
        EXPECT_EQ(is_complete(), step == kSteps) << "after " << step << " steps";
        before = alpha();
        // A loss that falls is no drift.
        if (step == kSteps) break;
        ASSERT_TRUE(kasmina->tick(2.0 - 0.01 * step));
    }
    EXPECT_EQ(alpha(), 1.0);
    EXPECT_EQ(value_or_throw(kasmina->table().read(0)).alpha, 1.0F) << "what the state table shows";
    ASSERT_TRUE(kasmina->tick(1.0));
    EXPECT_EQ(alpha(), 1.0) << "and stays there";
}

TEST_P(Ramp, GoesOnAfterItsStateWasSavedAsIfNothingHadBeen) {
    const auto strategy = GetParam();
    graft(strategy, kSteps);
    for (int step = 0; step < 17; ++step) ASSERT_TRUE(kasmina->tick(1.0 + 0.1 * (step % 2)));
    std::vector<std::string> anchors;
    for (const auto& anchor : host->anchors()) anchors.push_back(anchor.name);
    graph::TensorStore other = store.clone();
    KasminaLayer restored(host, anchors, other);
    ASSERT_TRUE(restored.restore(kasmina->to_json(), kasmina->program()));
    for (int step = 17; step < kSteps + 10; ++step) {
        const double loss = step == 30 ? 9.0 : 1.0;
        ASSERT_TRUE(kasmina->tick(loss));
        ASSERT_TRUE(restored.tick(loss));
        EXPECT_EQ(alpha(), value_or_throw(other.find("alpha.s1")).item<double>()) << step;
    }
}

INSTANTIATE_TEST_SUITE_P(EveryStrategy, Ramp,
                         testing::Values(GraftingStrategy::kLinear, GraftingStrategy::kCosine,
                                         GraftingStrategy::kSmoothstep, GraftingStrategy::kSigmoid,
                                         GraftingStrategy::kDriftControlled,
                                         GraftingStrategy::kInstant),
                         [](const auto& test) {
                             return std::string(contracts::to_text(test.param));
                         });

/// Some twenty quiet losses, then a few that jump, then quiet ones again.
std::vector<double> losses_with_a_spike() {
    std::vector<double> losses;
    for (int i = 0; i < 70; ++i) {
        const double quiet = 1.0 + 0.05 * ((i * 7) % 5);
        losses.push_back(i >= 25 && i < 28 ? 4.0 : quiet);
    }
    return losses;
}

TEST_F(Ramp, UnderDriftControlAlphaStandsStillWhileTheLossSpikesAndThenGoesOn) {
    graft(GraftingStrategy::kDriftControlled, kSteps);
    std::vector<double> seen;
    int counted = 0;
    int paused = 0;
    for (double loss : losses_with_a_spike()) {
        const double before = alpha();
        seen.push_back(loss);
        ASSERT_TRUE(kasmina->tick(loss));
        if (is_drift(seen)) {
            ++paused;
            EXPECT_EQ(alpha(), before) << "after " << seen.size() << " losses";
        } else if (counted < kSteps) {
            ++counted;
        }
        EXPECT_NEAR(alpha(),
                    expected_alpha(GraftingStrategy::kSmoothstep, counted / double{kSteps}),
                    kRounding)
            << "after " << seen.size() << " losses";
        EXPECT_EQ(is_complete(), counted == kSteps);
    }
    EXPECT_GE(paused, 1) << "nothing spiked";
    EXPECT_EQ(alpha(), 1.0);
}

TEST_F(Ramp, OnlyDriftControlWaitsForTheLoss) {
    graft(GraftingStrategy::kSmoothstep, kSteps);
    int step = 0;
    for (double loss : losses_with_a_spike()) {
        ASSERT_TRUE(kasmina->tick(loss));
        ++step;
        EXPECT_NEAR(
            alpha(),
            expected_alpha(GraftingStrategy::kSmoothstep, std::min(step, kSteps) / double{kSteps}),
            kRounding);
    }
}

TEST_F(Ramp, OfNoStepsIsOverAtOnce) {
    graft(GraftingStrategy::kLinear, 0);
    EXPECT_EQ(alpha(), 1.0);
    EXPECT_TRUE(is_complete());
}

}  // namespace
}  // namespace esper::execution
