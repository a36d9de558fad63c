#include <gtest/gtest.h>

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
                                       blueprint.has_parameters, 1, 0, "test"));
    }
    void graft(std::uint32_t slot) {
        ASSERT_TRUE(kasmina->graft(slot, GraftingStrategy::kLinear, 4, 2, 0, "test"));
    }
};

TEST_F(Kasmina, RollingBackShutsASlotForGoodWhateverWasInIt) {
    germinate(0);
    ASSERT_TRUE(kasmina->roll_back(0, 5, 1, "test"));
    EXPECT_EQ(kasmina->state(0), SeedState::kRolledBack);
    EXPECT_EQ(kasmina->program()->hash(), host->hash());
    EXPECT_EQ(store.blocks().size(), 1U);
    germinate(1);
    graft(1);
    ASSERT_TRUE(kasmina->roll_back(1, 5, 1, "test"));
    EXPECT_EQ(kasmina->program()->hash(), host->hash());
    EXPECT_TRUE(store.controls().empty());
    for (std::uint32_t slot : {0U, 1U}) {
        EXPECT_TRUE(kasmina->wake(slot, 9, 2).error().is(StateError::kTerminal));
        EXPECT_TRUE(kasmina->roll_back(slot, 9, 2, "again").error().is(StateError::kTerminal));
    }
}

TEST_F(Kasmina, ADormantSlotCanBeShutAndNothingIsEdited) {
    ASSERT_TRUE(kasmina->roll_back(0, 5, 1, "test"));
    EXPECT_EQ(kasmina->state(0), SeedState::kRolledBack);
    EXPECT_EQ(edits, 0U);
}

TEST_F(Kasmina, ABlendedSeedThatFailsPassesThroughErrorRecovery) {
    germinate(0);
    graft(0);
    const auto before = value_or_throw(kasmina->table().read(0)).transitions;
    ASSERT_TRUE(kasmina->fault(0, 3, 5, 1, "test"));
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
        ASSERT_TRUE(kasmina->advance(0, to, 3, 1));
    ASSERT_TRUE(kasmina->fossilize(0, 4, 1, "test"));
    ASSERT_TRUE(kasmina->fault(0, 3, 5, 1, "test"));
    EXPECT_EQ(kasmina->state(0), SeedState::kCulled);
    EXPECT_EQ(kasmina->program()->hash(), host->hash());
}

TEST_F(Kasmina, ACancelledSeedLeavesTheHostAsItWasAndTheSlotFree) {
    germinate(0);
    ASSERT_TRUE(kasmina->cancel(0, 3, 1, "test"));
    EXPECT_EQ(kasmina->state(0), SeedState::kCancelled);
    EXPECT_EQ(kasmina->program()->hash(), host->hash());
    ASSERT_TRUE(kasmina->wake(0, 4, 1));
    germinate(0);
    graft(0);
    EXPECT_TRUE(kasmina->cancel(0, 5, 1, "too late").error().is(StateError::kIllegalTransition));
}

// alpha.s1 is a prefix of alpha.s10; removing the one must not remove the other.
TEST_F(Kasmina, TakingOutTheFirstSeedLeavesTheTenthItsAlpha) {
    germinate(0);
    graft(0);
    kasmina->skip_names(9);
    germinate(1);
    graft(1);
    ASSERT_EQ(kasmina->slots()[1].seed, "s10");
    ASSERT_TRUE(kasmina->cull(0, 0, 3, 1, "test"));
    EXPECT_FALSE(store.find("alpha.s1"));
    EXPECT_TRUE(store.find("alpha.s10"));
    EXPECT_TRUE(kasmina->tick(1.0));
}

}  // namespace
}  // namespace esper::execution
