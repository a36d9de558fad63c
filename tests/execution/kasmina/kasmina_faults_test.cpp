#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "esper/blueprints/catalogue.h"
#include "esper/core/hosts/host.h"
#include "esper/execution/kasmina/kasmina_layer.h"
#include "esper/program/shapes.h"

namespace esper::execution {
namespace {

using contracts::GraftingStrategy;

struct Kasmina : testing::Test {
    graph::ProgramPtr host = [] {
        core::HostSpec spec;
        spec.kind = "mlp";
        spec.depth = 2;
        spec.width = 8;
        spec.classes = 4;
        spec.channels = 1;
        spec.image_size = 4;
        return value_or_throw(core::make_host(spec));
    }();
    graph::TensorStore store{{1, false}};
    std::unique_ptr<KasminaLayer> kasmina;
    std::size_t edits = 0;

    Kasmina() {
        EXPECT_TRUE(store.add(*host, "host"));
        std::vector<std::string> anchors;
        for (const auto& anchor : host->anchors()) anchors.push_back(anchor.name);
        kasmina = std::make_unique<KasminaLayer>(host, anchors, store);
        kasmina->on_edit([this](const graph::Edit&, const graph::Program&, std::string) {
            ++edits;
            return Status{};
        });
    }

    void germinate(std::uint32_t slot) {
        const auto* anchor = kasmina->program()->find_anchor(kasmina->slots()[slot].anchor);
        const auto types = value_or_throw(graph::infer_types(*kasmina->program()));
        auto type = types[anchor->value.value()];
        if (!type.shape.empty()) type.shape[0] = -1;
        const auto blueprint =
            value_or_throw(blueprints::make_blueprint("low_rank", *anchor, type));
        ASSERT_TRUE(kasmina->germinate(slot, "low_rank", blueprint.program,
                                       blueprint.has_parameters, {1, 0}, "test"));
    }
    void graft(std::uint32_t slot) {
        ASSERT_TRUE(kasmina->graft(slot, GraftingStrategy::kLinear, 4, {2, 0}, "test"));
    }
};

TEST_F(Kasmina, EveryMoveOfASeedIsToldWithItsNameFromTheFirstOn) {
    std::vector<std::string> told;
    kasmina->on_move([&](const SeedSlot& slot, SeedState, Moment) {
        told.push_back(slot.seed);
        return Status{};
    });
    germinate(0);
    graft(0);
    EXPECT_EQ(told, (std::vector<std::string>{"s1", "s1", "s1", "s1"}));
}

TEST_F(Kasmina, RollingBackShutsASlotForGoodWhateverWasInIt) {
    germinate(0);
    ASSERT_TRUE(kasmina->roll_back(0, {5, 1}, "test"));
    EXPECT_EQ(kasmina->state(0), SeedState::kRolledBack);
    EXPECT_EQ(kasmina->program()->hash(), host->hash());
    EXPECT_EQ(store.blocks().size(), 1U);
    germinate(1);
    graft(1);
    ASSERT_TRUE(kasmina->roll_back(1, {5, 1}, "test"));
    EXPECT_EQ(kasmina->program()->hash(), host->hash());
    EXPECT_TRUE(store.controls().empty());
    for (std::uint32_t slot : {0U, 1U}) {
        EXPECT_TRUE(kasmina->wake(slot, {9, 2}).error().is(StateError::kTerminal));
        EXPECT_TRUE(kasmina->roll_back(slot, {9, 2}, "again").error().is(StateError::kTerminal));
    }
}

TEST_F(Kasmina, ADormantSlotCanBeShutAndNothingIsEdited) {
    ASSERT_TRUE(kasmina->roll_back(0, {5, 1}, "test"));
    EXPECT_EQ(kasmina->state(0), SeedState::kRolledBack);
    EXPECT_EQ(edits, 0U);
}

TEST_F(Kasmina, ABlendedSeedThatFailsPassesThroughErrorRecovery) {
    germinate(0);
    graft(0);
    const auto before = value_or_throw(kasmina->table().read(0)).transitions;
    ASSERT_TRUE(kasmina->fault(0, 3, {5, 1}, "test"));
    const auto row = value_or_throw(kasmina->table().read(0));
    EXPECT_EQ(row.state, SeedState::kCulled);
    EXPECT_EQ(row.transitions, before + 2) << "ERROR_RECOVERY, then CULLED";
    EXPECT_TRUE(row.flags & kFallbackActive);
    EXPECT_EQ(row.embargo_until, 4U);
    EXPECT_EQ(kasmina->program()->hash(), host->hash());
}

TEST_F(Kasmina, AKeptSeedThatFailsIsTakenOutToo) {
    germinate(0);
    graft(0);
    for (auto to : {SeedState::kStabilization, SeedState::kEvaluating})
        ASSERT_TRUE(kasmina->advance(0, to, {3, 1}));
    ASSERT_TRUE(kasmina->fossilize(0, {4, 1}, "test"));
    ASSERT_TRUE(kasmina->fault(0, 3, {5, 1}, "test"));
    EXPECT_EQ(kasmina->state(0), SeedState::kCulled);
    EXPECT_EQ(kasmina->program()->hash(), host->hash());
}

TEST_F(Kasmina, ACancelledSeedLeavesTheHostAsItWasAndTheSlotFree) {
    germinate(0);
    ASSERT_TRUE(kasmina->cancel(0, {3, 1}, "test"));
    EXPECT_EQ(kasmina->state(0), SeedState::kCancelled);
    EXPECT_EQ(kasmina->program()->hash(), host->hash());
    ASSERT_TRUE(kasmina->wake(0, {4, 1}));
    germinate(0);
    graft(0);
    EXPECT_TRUE(kasmina->cancel(0, {5, 1}, "too late").error().is(StateError::kIllegalTransition));
}

// alpha.s1 is a prefix of alpha.s10; removing the one must not remove the other.
TEST_F(Kasmina, TakingOutTheFirstSeedLeavesTheTenthItsAlpha) {
    germinate(0);
    graft(0);
    kasmina->skip_names(9);
    germinate(1);
    graft(1);
    ASSERT_EQ(kasmina->slots()[1].seed, "s10");
    ASSERT_TRUE(kasmina->cull(0, 0, {3, 1}, "test"));
    EXPECT_FALSE(store.find("alpha.s1"));
    EXPECT_TRUE(store.find("alpha.s10"));
    EXPECT_TRUE(kasmina->tick(1.0));
}

TEST_F(Kasmina, TheKernelIdSaysWhatTheBlueprintIsAndNotWhatItIsCalled) {
    germinate(0);
    germinate(1);
    const auto id = [&](std::uint32_t slot) {
        return value_or_throw(kasmina->table().read(slot)).kernel_id;
    };
    const auto blueprint_at = [&](std::uint32_t slot) {
        const auto* anchor = host->find_anchor(kasmina->slots()[slot].anchor);
        auto type = value_or_throw(graph::infer_types(*host))[anchor->value.value()];
        type.shape[0] = -1;
        return value_or_throw(blueprints::make_blueprint("low_rank", *anchor, type)).program;
    };
    EXPECT_EQ(id(0), blueprint_at(0)->hash().prefix64());
    EXPECT_EQ(id(0) == id(1), blueprint_at(0)->hash() == blueprint_at(1)->hash());
    // Another content under the same name is another kernel.
    ASSERT_TRUE(kasmina->cull(1, 0, {3, 1}, "test"));
    ASSERT_TRUE(kasmina->wake(1, {4, 1}));
    const auto before = id(0);
    const auto other = [&] {
        const auto* anchor = host->find_anchor(kasmina->slots()[1].anchor);
        auto type = value_or_throw(graph::infer_types(*host))[anchor->value.value()];
        type.shape[0] = -1;
        return value_or_throw(blueprints::make_blueprint("bottleneck_mlp", *anchor, type));
    }();
    ASSERT_TRUE(kasmina->germinate(1, "low_rank", other.program, true, {5, 1}, "test"));
    EXPECT_NE(id(1), before);
}

TEST_F(Kasmina, TellsOfEveryMoveWithTheSeedsNameAndOfEveryProgram) {
    struct Move {
        std::string seed;
        SeedState from, to;
    };
    std::vector<Move> moves;
    graph::ProgramPtr told;
    kasmina->on_move([&](const SeedSlot& slot, SeedState from, Moment) {
        moves.push_back({slot.seed, from, kasmina->state(slot.index)});
        return Status{};
    });
    kasmina->on_program([&](const graph::ProgramPtr& program) { told = program; });
    germinate(0);
    EXPECT_EQ(told, kasmina->program());
    ASSERT_TRUE(kasmina->cull(0, 0, {3, 1}, "test"));
    EXPECT_EQ(told, kasmina->program());
    ASSERT_TRUE(kasmina->wake(0, {4, 1}));
    ASSERT_EQ(moves.size(), 5U);
    const SeedState path[] = {SeedState::kDormant,  SeedState::kGerminated, SeedState::kLoading,
                              SeedState::kTraining, SeedState::kCulled,     SeedState::kDormant};
    for (std::size_t i = 0; i < moves.size(); ++i) {
        EXPECT_EQ(moves[i].from, path[i]) << i;
        EXPECT_EQ(moves[i].to, path[i + 1]) << i;
    }
    EXPECT_EQ(moves[1].seed, "s1");
    EXPECT_EQ(moves[3].seed, "s1") << "it is culled under its name";
    EXPECT_EQ(moves[4].seed, "");
}

TEST_F(Kasmina, ASavedStateWithAKeyMissingIsRefusedByName) {
    germinate(0);
    auto json = kasmina->to_json();
    json["slots"][0].erase("ramp");
    const auto refused = kasmina->restore(json, kasmina->program());
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(StateError::kBadSnapshot));
    EXPECT_NE(refused.error().message().find("'slots[0].ramp' is missing"), std::string::npos);
    auto future = kasmina->to_json();
    future["version"] = 9;
    EXPECT_TRUE(
        kasmina->restore(future, kasmina->program()).error().is(StateError::kUnsupportedVersion));
}

}  // namespace
}  // namespace esper::execution
