#include "esper/execution/states/state_layout.h"

#include <gtest/gtest.h>

#include <cmath>

namespace esper::execution {

struct StateTableTestAccess {
    static void scribble(StateTable& table, std::uint32_t seed, std::size_t word,
                         std::uint64_t flip) {
        auto& w = table.word(seed, word);
        w.store(w.load() ^ flip);
    }
    static const void* address(const StateTable& table, std::uint32_t seed) {
        return &table.word(seed, 0);
    }
};

namespace {

using enum contracts::SeedState;

Transition move_to(std::uint32_t seed, SeedState to, ComponentType actor = ComponentType::kTamiyo) {
    return {.seed = seed, .to = to, .actor = actor, .epoch = 4, .kernel_id = 9};
}

void walk(StateTable& table, std::uint32_t seed, std::initializer_list<SeedState> states) {
    for (SeedState s : states) ASSERT_TRUE(table.transition(move_to(seed, s)));
}

class EveryLayout : public ::testing::TestWithParam<Layout> {};
INSTANTIATE_TEST_SUITE_P(StateLayout, EveryLayout,
                         ::testing::Values(Layout::kLinePerSeed, Layout::kColumns,
                                           Layout::kPaddedColumns));

TEST_P(EveryLayout, RowsDoNotTouchEachOther) {
    StateTable table(9, GetParam());
    walk(table, 3, {kGerminated, kLoading, kTraining, kGrafting});
    ASSERT_TRUE(table.set_alpha(3, 0.25f));
    ASSERT_TRUE(table.record(5, 0.5f, 7, 2));
    for (std::uint32_t s = 0; s < 9; ++s) {
        const SeedRecord r = *table.read(s);
        EXPECT_EQ(r.state, s == 3 ? kGrafting : kDormant);
        EXPECT_EQ(r.alpha, s == 3 ? 0.25f : 0.0f);
        EXPECT_EQ(r.health, s == 5 ? 0.5f : 0.0f);
        EXPECT_EQ(r.latency_us, s == 5 ? 7u : 0u);
    }
    EXPECT_TRUE(table.verify());
}

TEST(StateLayout, EachSeedHasACacheLineOfItsOwnByDefault) {
    StateTable table(3);
    const auto* a = static_cast<const char*>(StateTableTestAccess::address(table, 0));
    const auto* b = static_cast<const char*>(StateTableTestAccess::address(table, 1));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(a) % 64, 0u);
    EXPECT_EQ(b - a, 64);
}

TEST(StateLayout, ASeedThatDoesNotExistIsRefusedEverywhere) {
    StateTable table(2);
    auto expect = [](const auto& result) {
        ASSERT_FALSE(result);
        EXPECT_TRUE(result.error().is(StateError::kNoSuchSeed)) << result.error().to_string();
    };
    expect(table.read(2));
    expect(table.transition(move_to(2, kGerminated)));
    expect(table.record_error(2, 0));
    expect(table.record(2, 1, 1, 1));
    expect(table.set_alpha(2, 1));
}

TEST(StateLayout, GerminationTakesAKernelAndForgetsTheLastTenant) {
    StateTable table(1);
    auto without = move_to(0, kGerminated);
    without.kernel_id = 0;
    EXPECT_TRUE(table.transition(without).error().is(StateError::kMissingKernel));
    walk(table, 0, {kGerminated, kLoading, kTraining, kGrafting});
    ASSERT_TRUE(table.record(0, 0.9f, 50, 4));
    ASSERT_TRUE(table.record_error(0, 4));
    walk(table, 0, {kCulled, kDormant});
    EXPECT_EQ(table.read(0)->kernel_id, 0u);
    walk(table, 0, {kGerminated});
    const SeedRecord r = *table.read(0);
    EXPECT_EQ(r.kernel_id, 9u);
    EXPECT_EQ(r.error_count, 0);
    EXPECT_EQ(r.health, 0);
    EXPECT_EQ(r.flags, 0);
}

TEST(StateLayout, TheThirdErrorOfABlendedSeedMeansErrorRecoveryAndTheIdentityPath) {
    StateTable table(2);
    walk(table, 0, {kGerminated, kLoading, kTraining, kGrafting});
    EXPECT_EQ(table.record_error(0, 7), kGrafting);
    EXPECT_EQ(table.record_error(0, 7), kGrafting);
    EXPECT_EQ(table.record_error(0, 8), kErrorRecovery);
    const SeedRecord r = *table.read(0);
    EXPECT_EQ(r.flags & kFallbackActive, kFallbackActive);
    EXPECT_EQ(r.last_update_epoch, 8u);
    walk(table, 1, {kGerminated, kLoading, kTraining});
    for (int i = 0; i < 5; ++i) EXPECT_EQ(table.record_error(1, 1), kTraining);
    walk(table, 0, {kCulled, kDormant});
    EXPECT_EQ(table.read(0)->flags & kFallbackActive, 0);
}

TEST(StateLayout, ErrorsSaturateInsteadOfWrapping) {
    SeedRecord r;
    r.error_count = 65535;
    count_error(r, 1);
    EXPECT_EQ(r.error_count, 65535);
}

TEST(StateLayout, ACulledSlotStaysEmbargoedForItsTerm) {
    StateTable table(1);
    walk(table, 0, {kGerminated, kLoading});
    ASSERT_TRUE(table.transition({.seed = 0,
                                  .to = kCulled,
                                  .actor = ComponentType::kKasmina,
                                  .epoch = 10,
                                  .embargo_epochs = 5}));
    Transition wake{.seed = 0, .to = kDormant, .actor = ComponentType::kKasmina, .epoch = 14};
    EXPECT_TRUE(table.transition(wake).error().is(StateError::kEmbargoed));
    EXPECT_EQ(table.state(0), kCulled);
    wake.epoch = 15;
    EXPECT_EQ(table.transition(wake), kCulled);
}

TEST(StateLayout, AnEmbargoBeyondTheLastEpochDoesNotWrap) {
    SeedRecord r{.state = kTraining};
    apply(r, {.to = kCulled, .epoch = 10, .embargo_epochs = 4294967295u});
    EXPECT_EQ(r.embargo_until, 4294967295u);
}

TEST(StateLayout, ARolledBackSeedIsLockedForGood) {
    StateTable table(1);
    ASSERT_TRUE(table.transition(move_to(0, kRolledBack, ComponentType::kTolaria)));
    for (unsigned s = 0; s < 13; ++s) {
        for (unsigned a = 0; a < 11; ++a) {
            auto r = table.transition(
                move_to(0, static_cast<SeedState>(s), static_cast<ComponentType>(a)));
            EXPECT_TRUE(r.error().is(StateError::kTerminal));
        }
    }
}

TEST(StateLayout, HealthIsAnAverageStartedByItsFirstSample) {
    StateTable table(1);
    ASSERT_TRUE(table.record(0, 0.0f, 1, 1));
    ASSERT_TRUE(table.record(0, 1.0f, 1'000'000'000'000, 2));
    const SeedRecord r = *table.read(0);
    EXPECT_FLOAT_EQ(r.health, 0.1f);
    EXPECT_EQ(r.latency_us, 4294967295u);
    EXPECT_EQ(r.last_update_epoch, 2u);
    for (float bad : {-0.1f, 1.1f, std::nanf("")}) {
        EXPECT_TRUE(table.record(0, bad, 1, 3).error().is(StateError::kBadValue));
    }
}

TEST(StateLayout, OnlyABlendedSeedHasAnAlphaToSet) {
    StateTable table(1);
    EXPECT_TRUE(table.set_alpha(0, 0.5f).error().is(StateError::kBadValue));
    walk(table, 0, {kGerminated, kLoading, kTraining, kGrafting});
    EXPECT_TRUE(table.set_alpha(0, 1.5f).error().is(StateError::kBadValue));
    EXPECT_TRUE(table.set_alpha(0, std::nanf("")).error().is(StateError::kBadValue));
    ASSERT_TRUE(table.set_alpha(0, 0.5f));
    walk(table, 0, {kStabilization, kEvaluating, kFossilized});
    EXPECT_EQ(table.read(0)->alpha, 1.0f);
    EXPECT_FALSE(table.set_alpha(0, 0.5f));
}

TEST(StateLayout, AStrayWriteToAnyWordIsFound) {
    for (std::size_t word = 0; word < kSeedWords; ++word) {
        for (unsigned bit = 0; bit < 64; ++bit) {
            if (word == 0 && bit == 32) continue;  // the busy bit: readers would wait forever
            StateTable table(2);
            StateTableTestAccess::scribble(table, 1, word, std::uint64_t{1} << bit);
            ASSERT_TRUE(table.verify().error().is(StateError::kCorrupt));
        }
    }
}

TEST(StateLayout, ABrokenSealStaysBrokenWhenTheRowIsWrittenAgain) {
    StateTable table(1);
    walk(table, 0, {kGerminated, kLoading, kTraining, kGrafting});
    StateTableTestAccess::scribble(table, 0, 3, 2);
    ASSERT_TRUE(table.record(0, 1, 1, 1));
    ASSERT_TRUE(table.set_alpha(0, 0.5F));
    ASSERT_TRUE(table.record_error(0, 2));
    walk(table, 0, {kStabilization});
    EXPECT_TRUE(table.verify().error().is(StateError::kCorrupt));
}

}  // namespace
}  // namespace esper::execution
