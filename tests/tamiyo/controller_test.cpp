#include "esper/services/tamiyo/controller.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "esper/base/random.h"
#include "tamiyo/toy_trainer.h"

namespace esper::tamiyo {
namespace {

using configs::Policy;

/// A run in which losses, gains and verdicts are drawn at random.
ToyTrainer eventful(Policy policy, std::uint64_t seed) {
    configs::GrowthConfig growth = short_lives();
    growth.limits.max_in_flight = 3;
    growth.limits.max_flops_ratio = 1.35;
    growth.sham = seed % 2 == 1;
    configs::ControllerConfig config = with_policy(policy);
    config.period = configs::Duration::epochs(2);
    config.plateau.threshold = 0.02;
    ToyTrainer t(growth, config, short_run(seed), 5);
    t.loss = [seed](std::int64_t epoch) -> std::optional<double> {
        RandomStream r(seed, "loss", static_cast<std::uint64_t>(epoch));
        if (r.uniform() < 0.05) return std::nullopt;
        return 2.0 / (1.0 + 0.05 * static_cast<double>(epoch)) + 0.01 * r.normal();
    };
    t.measure = [seed](const LookRequest& request) -> std::optional<GateResult> {
        RandomStream r(seed, "verdict", static_cast<std::uint64_t>(request.ordinal),
                       static_cast<std::uint32_t>(request.look));
        if (r.uniform() < 0.1) return std::nullopt;
        const auto verdict = static_cast<Verdict>(r.below(3));
        return verdict_of(verdict, request.spec);
    };
    t.gain = [seed](const Candidate& c) -> std::optional<double> {
        RandomStream r(seed, "gain", c.slot);
        if (r.uniform() < 0.2) return std::nullopt;
        return r.uniform(-0.01, 0.05);
    };
    t.signals = [seed](const SlotView& slot, std::int64_t epoch) {
        RandomStream r(seed, "signals", static_cast<std::uint64_t>(epoch), slot.index);
        return SlotSignals{.activation_variance = r.uniform(), .dead_ratio = r.uniform()};
    };
    t.candidates = [](const ControllerView& v) {
        std::vector<Candidate> list;
        for (const SlotView& slot : v.slots) {
            if (slot.state != SeedState::kDormant) continue;
            list.push_back({.slot = slot.index, .blueprint = "mlp", .relative_flops = 0.1});
            list.push_back({.slot = slot.index, .blueprint = "thin", .relative_flops = 0.01});
            list.push_back({.slot = slot.index, .blueprint = "sham", .sham = true});
        }
        return list;
    };
    return t;
}

class EveryPolicy : public testing::TestWithParam<Policy> {};

TEST_P(EveryPolicy, CommandsOnlyLegalMovesWhateverIsMeasured) {
    std::size_t germinated = 0;
    std::size_t kept = 0;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        ToyTrainer t = eventful(GetParam(), seed);
        t.to_the_end();  // the toy trainer checks every move
        germinated += t.of(AdaptationCommand::kGerminate).size();
        kept += t.of(AdaptationCommand::kFossilize).size();
        for (const SlotView& slot : t.view.slots) {
            EXPECT_FALSE(contracts::is_in_flight(slot.state));
        }
    }
    if (GetParam() == Policy::kNever) {
        EXPECT_EQ(germinated, 0u);
    } else {
        EXPECT_GT(germinated, 40u);
        EXPECT_GT(kept, 3u);
    }
    RecordProperty("germinated", static_cast<int>(germinated));
    RecordProperty("kept", static_cast<int>(kept));
}

TEST_P(EveryPolicy, ResumedAtEachBoundaryItDecidesAsIfItHadNeverStopped) {
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
        ToyTrainer straight = eventful(GetParam(), seed);
        straight.to_the_end();
        ToyTrainer resumed = eventful(GetParam(), seed);
        resumed.resumed_each_time = true;
        resumed.to_the_end();
        EXPECT_EQ(straight.log, resumed.log);
        EXPECT_EQ(straight.controller.save(), resumed.controller.save());
    }
}

TEST_P(EveryPolicy, KeepsWithinTheLimits) {
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
        ToyTrainer t = eventful(GetParam(), seed);
        while (t.view.step < t.view.total_steps) {
            const std::size_t before = t.of(AdaptationCommand::kGerminate).size();
            t.epoch();
            const std::size_t born = t.of(AdaptationCommand::kGerminate).size() - before;
            EXPECT_LE(born, 2u);
            if (born > 0) {
                EXPECT_GE(t.view.step, 60) << "growth.start";
                EXPECT_LE(t.view.step, 480) << "growth.stop";
            }
            int in_flight = 0;
            for (const SlotView& slot : t.view.slots) {
                in_flight += contracts::is_in_flight(slot.state);
            }
            EXPECT_LE(in_flight, 3);
            EXPECT_LE(t.view.flops_ratio, 1.35);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Policies, EveryPolicy,
                         testing::Values(Policy::kHeuristic, Policy::kPeriodic, Policy::kPlateau,
                                         Policy::kRandom, Policy::kNever),
                         [](const auto& test) {
                             return std::string(contracts::to_text(test.param));
                         });

TEST(Controller, NumbersSeedsInTheOrderInWhichTheyGerminate) {
    ToyTrainer t = eventful(Policy::kPeriodic, 4);
    t.to_the_end();
    const auto germinations = t.of(AdaptationCommand::kGerminate);
    ASSERT_GT(germinations.size(), 3u);
    for (std::size_t i = 0; i < germinations.size(); ++i) {
        EXPECT_EQ(germinations[i].evidence.at("ordinal"), static_cast<double>(i + 1));
    }
    EXPECT_EQ(t.controller.lifecycle().germinations(),
              static_cast<std::int64_t>(germinations.size()));
}

TEST(Controller, AveragesTakeAnEpochOnceHoweverOftenItsBoundaryIsSettled) {
    ToyTrainer t = eventful(Policy::kHeuristic, 2);
    t.epochs(12);
    const nlohmann::json before = t.controller.save();
    ASSERT_FALSE(before.at("policy").at("health").at("slots").empty());
    t.controller.decide(t.view);
    EXPECT_EQ(t.controller.save(), before);
}

TEST(Controller, RefusesTheStateOfAnotherPolicyAndKeepsItsOwn) {
    ToyTrainer periodic = eventful(Policy::kPeriodic, 1);
    periodic.epochs(20);
    for (const Policy other : {Policy::kHeuristic, Policy::kNever}) {
        ToyTrainer t = eventful(other, 1);
        t.epochs(20);
        const nlohmann::json before = t.controller.save();
        const Status status = t.controller.restore(periodic.controller.save());
        ASSERT_FALSE(status);
        EXPECT_TRUE(status.error().is(TamiyoError::kBadState)) << status.error().message();
        EXPECT_EQ(t.controller.save(), before);
    }
    EXPECT_FALSE(periodic.controller.restore(nlohmann::json::parse("[]")));
    EXPECT_FALSE(periodic.controller.restore(nlohmann::json::parse(R"({"policy":{}})")));
}

TEST(Decision, SaysUnmeasuredAsNull) {
    const Decision d{.command = AdaptationCommand::kGerminate,
                     .slot = 2,
                     .seed = "s",
                     .anchor = "a",
                     .blueprint = "b",
                     .reason = "r",
                     .evidence = {{"x", 1.5}},
                     .alternatives = {{"a2", "b2", 0.25}, {"a3", "b3", std::nullopt}}};
    const nlohmann::json j = to_json(d);
    EXPECT_EQ(j.at("command"), "germinate");
    EXPECT_EQ(j.at("slot"), 2);
    EXPECT_EQ(j.at("evidence").at("x"), 1.5);
    EXPECT_EQ(j.at("alternatives").at(0).at("score"), 0.25);
    EXPECT_TRUE(j.at("alternatives").at(1).at("score").is_null());
}

}  // namespace
}  // namespace esper::tamiyo
