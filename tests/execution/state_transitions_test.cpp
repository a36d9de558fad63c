#include <gtest/gtest.h>

#include "execution/scale.h"
#include "execution/state_model.h"

namespace esper::execution {
namespace {

using enum contracts::SeedState;

TEST(Transitions, ExactlyTheMovesOfTheGrowthPageByTheirOwnActorsAreLegal) {
    for (unsigned f = 0; f < 13; ++f) {
        for (unsigned t = 0; t < 13; ++t) {
            for (unsigned a = 0; a < 11; ++a) {
                const auto from = static_cast<SeedState>(f), to = static_cast<SeedState>(t);
                const auto actor = static_cast<ComponentType>(a);
                EXPECT_EQ(is_legal(from, to, actor), esper::testing::model_legal(from, to, actor))
                    << contracts::to_text(from) << " -> " << contracts::to_text(to) << " by "
                    << contracts::to_text(actor);
                EXPECT_EQ(check_transition(from, to, actor).has_value(), is_legal(from, to, actor));
            }
        }
    }
}

TEST(Transitions, ARefusalSaysWhetherStateMoveOrActorIsWrong) {
    auto why = [](SeedState from, SeedState to, ComponentType actor) {
        return check_transition(from, to, actor).error();
    };
    EXPECT_TRUE(why(kFossilized, kDormant, ComponentType::kTamiyo).is(StateError::kTerminal));
    EXPECT_TRUE(why(kRolledBack, kDormant, ComponentType::kTolaria).is(StateError::kTerminal));
    EXPECT_TRUE(
        why(kDormant, kGrafting, ComponentType::kTamiyo).is(StateError::kIllegalTransition));
    const Error wrong = why(kTraining, kRolledBack, ComponentType::kTamiyo);
    EXPECT_TRUE(wrong.is(StateError::kWrongActor));
    EXPECT_NE(wrong.message().find("belongs to tolaria, not to tamiyo"), std::string::npos);
}

TEST(Transitions, AStateThatDoesNotExistIsNeverLegal) {
    EXPECT_FALSE(is_legal(static_cast<SeedState>(13), kDormant, ComponentType::kTamiyo));
    EXPECT_FALSE(is_legal(kDormant, static_cast<SeedState>(255), ComponentType::kTamiyo));
}

TEST(Transitions, TenMillionRandomOperationsAgreeWithAPlainModel) {
    EXPECT_EQ(esper::testing::walk_against_model(esper::testing::scaled(10'000'000), 1), "");
}

}  // namespace
}  // namespace esper::execution
