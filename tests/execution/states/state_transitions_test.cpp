#include <gtest/gtest.h>

#include "esper/execution/states/seed_move.h"
#include "execution/states/scale.h"
#include "execution/states/state_model.h"

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

TEST(Transitions, AMoveOfPackedWordsIsTheMoveOfTheRecord) {
    RandomStream random(3, "packed moves");
    for (unsigned i = 0; i < 300'000; ++i) {
        const std::uint64_t r = random.next_u64();
        const std::uint64_t q = random.next_u64();
        const auto pick = [&](std::uint64_t bits) { return static_cast<std::uint32_t>(bits % 5); };
        const SeedRecord row{.state = static_cast<contracts::SeedState>(r % 13),
                             .flags = static_cast<std::uint8_t>((r >> 8) % 8),
                             .error_count = static_cast<std::uint16_t>(r >> 16),
                             .version = static_cast<std::uint32_t>(q) & ~1u,
                             .kernel_id = q,
                             .alpha = static_cast<float>((r >> 32) % 101) / 100.0f,
                             .health = static_cast<float>((r >> 40) % 101) / 100.0f,
                             .last_update_epoch = static_cast<std::uint32_t>(q >> 7),
                             .latency_us = static_cast<std::uint32_t>(q >> 19),
                             .embargo_until = pick(r >> 48),
                             .transitions = static_cast<std::uint32_t>(q >> 31)};
        const Transition move{.to = static_cast<contracts::SeedState>((q >> 8) % 13),
                              .actor = static_cast<contracts::ComponentType>((q >> 16) % 11),
                              .epoch = q % 7 == 0 ? 0xfffffffe : pick(q >> 24),
                              .kernel_id = (q >> 32) % 3,
                              .embargo_epochs = pick(q >> 40)};
        const SeedWords words = pack(row, row.version);
        ASSERT_EQ(is_allowed(words, move), is_allowed(row, move));
        if (!is_allowed(row, move)) continue;
        SeedRecord after = row;
        apply(after, move);
        ASSERT_EQ(moved(words, move), pack(after, row.version + 2))
            << contracts::to_text(row.state) << " to " << contracts::to_text(move.to);
    }
}

TEST(Transitions, AMoveDoesNotMendABrokenSeal) {
    SeedWords words = pack(SeedRecord{}, 0);
    words[3] ^= 1;
    const SeedWords next = moved(words, {.to = contracts::SeedState::kGerminated, .kernel_id = 1});
    EXPECT_NE(next[5], seal_of(next));
}

TEST(Transitions, TenMillionRandomOperationsAgreeWithAPlainModel) {
    EXPECT_EQ(esper::testing::walk_against_model(esper::testing::scaled(10'000'000), 1), "");
}

}  // namespace
}  // namespace esper::execution
