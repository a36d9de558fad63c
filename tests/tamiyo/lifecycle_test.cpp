#include "esper/services/tamiyo/lifecycle.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "esper/base/random.h"
#include "tamiyo/toy_trainer.h"

namespace esper::tamiyo {
namespace {

using enum AdaptationCommand;
using configs::Policy;

ToyTrainer one_seed(configs::GrowthConfig growth = short_lives()) {
    growth.limits.max_fossilized = 1;
    growth.start = 0.1;
    return ToyTrainer(growth, with_policy(Policy::kPeriodic), short_run(), 1);
}

TEST(Lifecycle, ASeedThatHelpsWalksThroughItsWholeLife) {
    ToyTrainer t = one_seed();
    t.to_the_end();
    const std::vector<std::string> expected = {
        "GERMINATED@6",     "LOADING@6",     "TRAINING@6",     "GRAFTING@8",
        "STABILIZATION@10", "EVALUATING@11", "FINE_TUNING@11", "FOSSILIZED@13"};
    EXPECT_EQ(t.path, expected);
    ASSERT_EQ(t.looks.size(), 3u);
    EXPECT_EQ(t.looks[0].stage, GateStage::kBeforeGraft);
    EXPECT_EQ(t.looks[1].stage, GateStage::kAfterGraft);
    EXPECT_EQ(t.looks[2].stage, GateStage::kAfterFineTune);
}

TEST(Lifecycle, ASeedWithoutParametersSkipsWhatOnlyLearnersNeed) {
    ToyTrainer t = one_seed();
    t.has_parameters = false;
    t.to_the_end();
    const std::vector<std::string> expected = {"GERMINATED@6",    "LOADING@6",    "GRAFTING@6",
                                               "STABILIZATION@8", "EVALUATING@9", "FOSSILIZED@9"};
    EXPECT_EQ(t.path, expected);
    ASSERT_EQ(t.looks.size(), 1u);
    EXPECT_EQ(t.looks[0].stage, GateStage::kAfterGraft);
}

TEST(Lifecycle, WithoutFineTuningThePassedGateIsTheLast) {
    configs::GrowthConfig growth = short_lives();
    growth.fine_tune = configs::Duration::epochs(0);
    ToyTrainer t = one_seed(growth);
    t.to_the_end();
    EXPECT_EQ(t.path.back(), "FOSSILIZED@11");
}

TEST(Lifecycle, ASeedThatFailsTheFirstGateNeverTouchesTheHostAndItsSlotRests) {
    ToyTrainer t = one_seed();
    t.measure = [](const LookRequest& r) { return verdict_of(Verdict::kCull, r.spec); };
    t.epochs(12);
    const std::vector<std::string> expected = {"GERMINATED@6", "LOADING@6",  "TRAINING@6",
                                               "CULLED@8",     "DORMANT@11", "GERMINATED@11",
                                               "LOADING@11",   "TRAINING@11"};
    EXPECT_EQ(t.path, expected);
    const Decision cull = t.of(kCull).at(0);
    EXPECT_NE(cull.reason.find("saves at most"), std::string::npos) << cull.reason;
    EXPECT_DOUBLE_EQ(cull.evidence.at("mean"), -0.1);
    EXPECT_DOUBLE_EQ(cull.evidence.at("ordinal"), 1);
    EXPECT_EQ(cull.blueprint, "mlp");
}

TEST(Lifecycle, ASeedThatStaysUndecidedIsCulledWhenTheBudgetEnds) {
    ToyTrainer t = one_seed();
    t.measure = [](const LookRequest& r) { return verdict_of(Verdict::kHold, r.spec); };
    t.epochs(12);
    EXPECT_EQ(t.path.back(), "CULLED@12") << "2 epochs of training and 4 of budget after epoch 6";
    EXPECT_EQ(t.looks.size(), 5u);
    EXPECT_NE(t.of(kCull).at(0).reason.find("could not be shown"), std::string::npos);
}

TEST(Lifecycle, UnmeasuredIsNoEvidenceButDoesNotHoldForever) {
    ToyTrainer t = one_seed();
    t.measure = [](const LookRequest&) { return std::nullopt; };
    t.epochs(12);
    EXPECT_EQ(t.path.back(), "CULLED@12");
    const Decision cull = t.of(kCull).at(0);
    EXPECT_NE(cull.reason.find("not measured"), std::string::npos) << cull.reason;
    EXPECT_FALSE(cull.evidence.contains("mean"));
    EXPECT_EQ(t.looks.back().look, 1) << "a look that was not taken spends nothing";
}

TEST(Lifecycle, NoSeedIsCulledBeforeTheLag) {
    configs::GrowthConfig growth = short_lives();
    growth.gate.lag = configs::Duration::batches(35);
    ToyTrainer t = one_seed(growth);
    t.measure = [](const LookRequest& r) { return verdict_of(Verdict::kCull, r.spec); };
    t.epochs(11);
    EXPECT_EQ(t.path.back(), "CULLED@10") << "40 steps after training began at epoch 6";
}

TEST(Lifecycle, ASeedThatBreaksExamplesIsCulledEvenWithinTheLag) {
    configs::GrowthConfig growth = short_lives();
    growth.gate.lag = configs::Duration::batches(1000);
    ToyTrainer t = one_seed(growth);
    t.measure = [](const LookRequest& r) {
        GateResult result = verdict_of(Verdict::kCull, r.spec);
        result.not_finite = 3;
        return result;
    };
    t.epochs(8);
    EXPECT_EQ(t.path.back(), "CULLED@8");
}

TEST(Lifecycle, EverySeedAndEveryLookSpendsItsShareOfTheError) {
    ToyTrainer t = one_seed();
    t.measure = [](const LookRequest& r) { return verdict_of(Verdict::kHold, r.spec); };
    t.to_the_end();
    ASSERT_GT(t.looks.size(), 6u);
    double spent = 0;
    for (const LookRequest& r : t.looks) {
        EXPECT_DOUBLE_EQ(r.spec.delta_k, error_of_look(error_of_seed(0.05, r.ordinal), r.look));
        EXPECT_DOUBLE_EQ(r.spec.rent, 0.01 * 0.1);
        EXPECT_EQ(r.spec.n0, 500);
        spent += r.spec.delta_k;
    }
    EXPECT_LE(spent, 0.05);
    EXPECT_EQ(t.looks[4].look, 5);
    EXPECT_EQ(t.looks[5].ordinal, 2);
    EXPECT_EQ(t.looks[5].look, 1);
}

TEST(Lifecycle, OnlyTheKeepThatIsFinalWantsMoreExamplesThanDecided) {
    for (const bool fine_tunes : {true, false}) {
        configs::GrowthConfig growth = short_lives();
        if (!fine_tunes) growth.fine_tune = configs::Duration::epochs(0);
        ToyTrainer t = one_seed(growth);
        t.measure = [](const LookRequest& r) { return verdict_of(Verdict::kKeep, r.spec); };
        t.to_the_end();
        const auto last = fine_tunes ? GateStage::kAfterFineTune : GateStage::kAfterGraft;
        int finals = 0;
        for (const LookRequest& r : t.looks) {
            EXPECT_EQ(r.spec.confirmed_by, r.stage == last ? kConfirmedBy : 1);
            finals += r.stage == last;
        }
        EXPECT_GE(finals, 1);
    }
}

TEST(Lifecycle, TheSameWeightsAreLookedAtOnce) {
    ToyTrainer t = one_seed();
    t.measure = [](const LookRequest& r) { return verdict_of(Verdict::kHold, r.spec); };
    t.epochs(8);
    ASSERT_EQ(t.looks.size(), 1u);
    EXPECT_TRUE(t.controller.looks_due(t.view).empty());
    // The old result in the view is not counted again.
    EXPECT_TRUE(t.controller.decide(t.view).empty());
    t.epoch();
    EXPECT_EQ(t.looks.back().look, 2);
}

TEST(Lifecycle, AtTheEndOfTheRunNoSeedStaysUndecided) {
    // For every moment at which the run may end, and for every verdict.
    for (const Verdict verdict : {Verdict::kKeep, Verdict::kHold, Verdict::kCull}) {
        for (int end = 6; end <= 16; ++end) {
            ToyTrainer t = one_seed();
            t.measure = [verdict](const LookRequest& r) {
                // The first gate passes, so that the later ones are reached.
                return verdict_of(r.stage == GateStage::kBeforeGraft ? Verdict::kKeep : verdict,
                                  r.spec);
            };
            t.epochs(end - 1);
            t.view.total_steps = 10 * end;
            t.epoch();
            for (const SlotView& slot : t.view.slots) {
                EXPECT_FALSE(contracts::is_in_flight(slot.state))
                    << contracts::to_text(slot.state) << " at epoch " << end;
            }
        }
    }
}

TEST(Lifecycle, AKernelThatFailedOrNeverCameEndsTheSeed) {
    ToyTrainer t = one_seed();
    t.epochs(9);
    ASSERT_EQ(t.view.slots[0].state, SeedState::kGrafting);
    t.view.slots[0].state = SeedState::kErrorRecovery;
    t.epoch();
    EXPECT_EQ(t.path.back(), "CULLED@10");
    EXPECT_NE(t.of(kCull).at(0).reason.find("kernel failed"), std::string::npos);

    Lifecycle lifecycle(short_lives(), short_run());
    ControllerView view;
    view.total_steps = 600;
    view.step = 100;
    view.slots.push_back({.index = 0, .state = SeedState::kGerminated, .kernel_ready = false});
    EXPECT_TRUE(lifecycle.decide(view).empty());
    view.slots[0].steps_in_state = 40;
    ASSERT_EQ(lifecycle.decide(view).size(), 1u);
    EXPECT_EQ(lifecycle.decide(view)[0].command, kCancel);
    view.slots[0].state = SeedState::kCancelled;
    EXPECT_EQ(lifecycle.decide(view)[0].command, kReset);
}

TEST(Lifecycle, AForkIsTrainedForEveryShamAndForTheConfiguredShareOfSeeds) {
    configs::GrowthConfig growth = short_lives();
    growth.gate.fork_share = 0.2;
    const RunShape shape = short_run(9);
    int forks = 0;
    const int seeds = 2000;
    Lifecycle lifecycle(growth, shape);
    ControllerView view;
    view.step = 100;
    view.total_steps = 600;
    view.slots.push_back({.index = 0});
    for (int i = 0; i < seeds; ++i) {
        view.slots[0].state = SeedState::kDormant;
        lifecycle.decide(view);
        lifecycle.germinated(0);
        view.slots[0].state = SeedState::kTraining;
        view.slots[0].steps_in_state = 20;
        EXPECT_FALSE(lifecycle.looks_due(view).at(0).fork);
        view.slots[0].state = SeedState::kEvaluating;
        forks += lifecycle.looks_due(view).at(0).fork;
        view.slots[0].sham = true;
        EXPECT_TRUE(lifecycle.looks_due(view).at(0).fork);
        view.slots[0].sham = false;
    }
    EXPECT_NEAR(static_cast<double>(forks) / seeds, 0.2, 0.04);
}

TEST(Lifecycle, WhereAForkWasTrainedTheForkDecides) {
    Lifecycle lifecycle(short_lives(), short_run());
    ControllerView view;
    view.step = 100;
    view.total_steps = 600;
    view.slots.push_back({.index = 0, .state = SeedState::kEvaluating, .steps_in_state = 0});
    view.step = 200;
    view.slots[0].steps_in_state = 50;
    view.slots[0].gate = verdict_of(Verdict::kKeep, {});
    view.slots[0].fork_gate = verdict_of(Verdict::kCull, {});
    const std::vector<Decision> decisions = lifecycle.decide(view);
    ASSERT_EQ(decisions.size(), 1u);
    EXPECT_EQ(decisions[0].command, kCull);
    EXPECT_DOUBLE_EQ(decisions[0].evidence.at("mean"), 0.1);
    EXPECT_DOUBLE_EQ(decisions[0].evidence.at("fork_mean"), -0.1);
}

TEST(Lifecycle, TheRampLastsWhatIsConfiguredOrTheLargerOf300StepsAnd3Percent) {
    configs::GrowthConfig growth;
    EXPECT_EQ(graft_steps(growth, 1500), 300);
    EXPECT_EQ(graft_steps(growth, 100000), 3000);
    growth.graft_steps = 7;
    EXPECT_EQ(graft_steps(growth, 100000), 7);
    growth.strategy = configs::GraftingStrategy::kInstant;
    EXPECT_EQ(graft_steps(growth, 100000), 0);
}

TEST(Lifecycle, ADamagedStateIsRefusedAndChangesNothing) {
    Lifecycle lifecycle(short_lives(), short_run());
    lifecycle.germinated(3);
    const nlohmann::json before = lifecycle.save();
    for (const char* text : {"null", "{}", R"({"germinations":"x","accounts":[]})",
                             R"({"germinations":1,"accounts":[{"slot":0}]})"}) {
        const Status status = lifecycle.restore(nlohmann::json::parse(text));
        ASSERT_FALSE(status) << text;
        EXPECT_TRUE(status.error().is(TamiyoError::kBadState));
        EXPECT_EQ(lifecycle.save(), before);
    }
}

}  // namespace
}  // namespace esper::tamiyo
