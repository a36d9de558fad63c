#include "esper/services/tamiyo/tournament.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

namespace esper::tamiyo {
namespace {

struct Field {
    configs::GrowthConfig growth;
    configs::ControllerConfig controller;
    ControllerView view;

    explicit Field(std::uint32_t slots = 3) {
        view.total_steps = 1000;
        view.step = 100;
        for (std::uint32_t i = 0; i < slots; ++i) {
            view.slots.push_back({.index = i, .anchor = "layer" + std::to_string(i)});
        }
    }
    Candidate& add(std::uint32_t slot, const std::string& blueprint, std::optional<double> gain,
                   double flops = 0.1) {
        view.candidates.push_back({.slot = slot,
                                   .blueprint = blueprint,
                                   .predicted_gain = gain,
                                   .relative_flops = flops});
        return view.candidates.back();
    }
    Tournament tournament(std::uint64_t seed = 1) const { return {growth, controller, seed}; }
    std::vector<std::string> names(const std::vector<Entrant>& entrants) const {
        std::vector<std::string> list;
        for (const Entrant& e : entrants) list.push_back(view.candidates[e.candidate].blueprint);
        return list;
    }
    std::vector<std::string> ranked() const { return names(tournament().rank(view)); }
};
using Names = std::vector<std::string>;
const Tournament::Health kUnknown = [](std::uint32_t) { return std::nullopt; };

TEST(Tournament, RanksByGainPerFlop) {
    Field f;
    f.add(0, "large", 0.03, 0.5);
    f.add(1, "small", 0.01, 0.1);
    f.add(2, "medium", 0.02, 0.25);
    EXPECT_EQ(f.ranked(), (Names{"small", "medium", "large"}));
    EXPECT_DOUBLE_EQ(*f.tournament().rank(f.view)[0].score, 0.1);
}

TEST(Tournament, SomethingThatCostsNothingIsNotInfinitelyGood) {
    Field f;
    f.add(0, "free", 1e-6, 0);
    f.add(1, "good", 0.5, 0.1);
    EXPECT_EQ(f.ranked(), (Names{"good", "free"}));
}

TEST(Tournament, UnmeasuredIsNotZero) {
    Field f;
    f.add(0, "unmeasured", std::nullopt);
    f.add(0, "rejected", 0.0);
    f.add(1, "harmful", -0.1);
    f.add(1, "broken", std::nan(""));
    f.add(2, "helpful", 1e-9);
    EXPECT_EQ(f.ranked(), (Names{"helpful", "unmeasured"}));
    EXPECT_FALSE(f.tournament().rank(f.view)[1].score.has_value());
}

TEST(Tournament, UnmeasuredPairsStandInRandomOrderRepeatableByStep) {
    Field f(1);
    for (int i = 0; i < 8; ++i) f.add(0, std::to_string(i), std::nullopt);
    const Names now = f.ranked();
    EXPECT_EQ(now, f.ranked());
    std::set<Names> orders;
    for (f.view.step = 0; f.view.step < 20; ++f.view.step) orders.insert(f.ranked());
    EXPECT_GT(orders.size(), 15u);
}

TEST(Tournament, OnlyDormantSlotsCompete) {
    Field f;
    f.add(0, "awake", 1);
    f.add(1, "embargoed", 1);
    f.add(2, "asleep", 1);
    f.add(7, "nowhere", 1);
    f.view.slots[0].state = SeedState::kTraining;
    f.view.slots[1].state = SeedState::kCulled;
    EXPECT_EQ(f.ranked(), (Names{"asleep"}));
}

TEST(Tournament, LeavesOutWhatIsTooRiskyOrTooDear) {
    Field f;
    f.add(0, "risky", 1).risk = 0.6;
    f.add(1, "safe", 1).risk = 0.5;
    f.add(2, "dear", 1, 1.0);
    f.view.flops_ratio = 1.5;
    f.growth.limits.max_flops_ratio = 2.5;
    EXPECT_EQ(f.ranked(), (Names{"safe"}));
    f.growth.allow_speculative = true;
    f.growth.limits.max_flops_ratio = 3.0;
    EXPECT_EQ(f.ranked().size(), 3u);
}

TEST(Tournament, APairThatWasCulledBeforeCountsForLess) {
    Field f;
    f.add(0, "again", 0.03);
    f.add(1, "fresh", 0.02);
    Tournament t = f.tournament();
    EXPECT_EQ(f.names(t.rank(f.view)), (Names{"again", "fresh"}));
    ControllerView past = f.view;
    past.slots[0].state = SeedState::kCulled;
    past.slots[0].blueprint = "again";
    t.observe(past);
    t.observe(past);  // the same cull, seen at two boundaries
    EXPECT_EQ(f.names(t.rank(f.view)), (Names{"fresh", "again"}));
    EXPECT_DOUBLE_EQ(*t.rank(f.view)[1].score, 0.03 / 0.1 / 2);

    Tournament restored = f.tournament();
    ASSERT_TRUE(restored.restore(t.save()));
    EXPECT_EQ(f.names(restored.rank(f.view)), (Names{"fresh", "again"}));
    EXPECT_EQ(restored.save(), t.save());
}

TEST(Tournament, ShamsTakeEverySecondTurnAndOnlyIfAskedFor) {
    Field f;
    f.add(0, "real", 1);
    f.add(1, "sham", 0.0).sham = true;
    EXPECT_EQ(f.ranked(), (Names{"real"}));
    f.growth.sham = true;
    Tournament t = f.tournament();
    EXPECT_EQ(f.names(t.rank(f.view)), (Names{"real"}));
    t.germinated();
    EXPECT_EQ(f.names(t.rank(f.view)), (Names{"sham"})) << "even where the line search rejects it";
    t.germinated();
    EXPECT_EQ(f.names(t.rank(f.view)), (Names{"real"}));
    t.germinated();
    f.view.candidates.pop_back();
    EXPECT_EQ(f.names(t.rank(f.view)), (Names{"real"})) << "no sham fits anywhere";
}

TEST(Nomination, TakesTheSlotsInWorstHealthAndTheCheapestPairs) {
    Field f(4);
    for (std::uint32_t slot = 0; slot < 4; ++slot) {
        f.add(slot, "slow", std::nullopt).latency_ms = 9;
        f.add(slot, "quick", std::nullopt).latency_ms = 1;
    }
    f.controller.tournament.places = 2;
    f.controller.tournament.candidates = 3;
    f.controller.tournament.random_entrants = 0;
    const Tournament::Health health = [](std::uint32_t slot) -> std::optional<double> {
        if (slot == 0) return std::nullopt;
        return slot == 2 ? 0.2 : slot == 3 ? 0.5 : 0.9;
    };
    const auto nominated = f.tournament().nominate(f.view, health);
    ASSERT_EQ(nominated.size(), 3u);
    std::multiset<std::string> got;
    for (const std::size_t i : nominated) {
        got.insert(f.view.candidates[i].blueprint + std::to_string(f.view.candidates[i].slot));
    }
    EXPECT_EQ(got, (std::multiset<std::string>{"quick2", "quick3", "slow2"}));
}

TEST(Nomination, RandomEntrantsGiveEverybodyAChance) {
    Field f(6);
    for (std::uint32_t slot = 0; slot < 6; ++slot) f.add(slot, "b", std::nullopt);
    f.controller.tournament.places = 1;
    f.controller.tournament.candidates = 5;
    f.controller.tournament.random_entrants = 1;
    std::set<std::uint32_t> seen;
    for (f.view.step = 0; f.view.step < 100; ++f.view.step) {
        const auto nominated = f.tournament().nominate(f.view, kUnknown);
        ASSERT_EQ(nominated.size(), 2u);
        EXPECT_EQ(f.view.candidates[nominated[0]].slot, 0u);
        EXPECT_EQ(nominated, f.tournament().nominate(f.view, kUnknown));
        seen.insert(f.view.candidates[nominated[1]].slot);
    }
    EXPECT_EQ(seen, (std::set<std::uint32_t>{1, 2, 3, 4, 5}));
}

TEST(Nomination, WhatPastRunsHardlyEverChoseIsMeasuredOnlyWhereItIsDrawn) {
    Field f(3);
    for (std::uint32_t slot = 0; slot < 3; ++slot) {
        f.add(slot, "usual", std::nullopt);
        f.add(slot, "unlikely", std::nullopt).unlikely = true;
    }
    f.controller.tournament.random_entrants = 0;
    for (const std::size_t i : f.tournament().nominate(f.view, kUnknown))
        EXPECT_EQ(f.view.candidates[i].blueprint, "usual");
    EXPECT_EQ(f.tournament().nominate(f.view, kUnknown).size(), 3u);
    f.controller.tournament.random_entrants = 1;
    std::set<std::uint32_t> drawn;
    for (f.view.step = 0; f.view.step < 60; ++f.view.step) {
        const auto nominated = f.tournament().nominate(f.view, kUnknown);
        ASSERT_EQ(nominated.size(), 4u);
        EXPECT_EQ(f.view.candidates[nominated[3]].blueprint, "unlikely");
        drawn.insert(f.view.candidates[nominated[3]].slot);
    }
    EXPECT_EQ(drawn.size(), 3u);
}

TEST(Tournament, AnUnlikelyPairGerminatesOnlyWhereItWasMeasured) {
    Field f;
    f.add(0, "usual", 0.01);
    f.add(1, "drawn", 0.02).unlikely = true;
    f.add(2, "passed over", std::nullopt).unlikely = true;
    EXPECT_EQ(f.ranked(), (Names{"drawn", "usual"}));
}

TEST(Nomination, OfNobodyIsNobody) {
    EXPECT_TRUE(Field(0).tournament().nominate(ControllerView{}, kUnknown).empty());
    EXPECT_TRUE(Field(0).tournament().rank(ControllerView{}).empty());
}

}  // namespace
}  // namespace esper::tamiyo
