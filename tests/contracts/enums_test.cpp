#include "esper/contracts/enums.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "esper/contracts/seed_lifecycle.h"

namespace esper::contracts {
namespace {

template <ContractEnum E>
void every_value_survives_text_and_number() {
    std::set<std::string_view> words;
    std::set<int> numbers;
    for (const auto& entry : enum_entries<E>()) {
        EXPECT_EQ(to_text(entry.value), entry.text);
        EXPECT_EQ(from_text<E>(entry.text), entry.value);
        EXPECT_EQ(from_number<E>(static_cast<std::uint64_t>(entry.value)), entry.value);
        words.insert(entry.text);
        numbers.insert(static_cast<int>(entry.value));
    }
    EXPECT_EQ(words.size(), kEnumCount<E>) << esper_enum_name(E{});
    EXPECT_EQ(numbers.size(), kEnumCount<E>) << esper_enum_name(E{});
    EXPECT_EQ(from_text<E>("no such word"), std::nullopt);
    EXPECT_EQ(from_number<E>(255), std::nullopt);
    EXPECT_EQ(to_text(static_cast<E>(255)), "?");
}

TEST(Enums, EveryValueHasItsOwnWordAndNumberAndIsFoundByBoth) {
    every_value_survives_text_and_number<SeedState>();
    every_value_survives_text_and_number<GraftingStrategy>();
    every_value_survives_text_and_number<AdaptationCommand>();
    every_value_survives_text_and_number<BlueprintStatus>();
    every_value_survives_text_and_number<KernelStatus>();
    every_value_survives_text_and_number<FieldOutcome>();
    every_value_survives_text_and_number<ConfidenceLevel>();
    every_value_survives_text_and_number<CompilationPipeline>();
    every_value_survives_text_and_number<CompilationTarget>();
    every_value_survives_text_and_number<DeviceType>();
    every_value_survives_text_and_number<HealthVerdict>();
    every_value_survives_text_and_number<Priority>();
    every_value_survives_text_and_number<ComponentType>();
    every_value_survives_text_and_number<AccessRole>();
    every_value_survives_text_and_number<Topic>();
}

TEST(Enums, ASeedHasTwelveStatesAndErrorRecovery) {
    EXPECT_EQ(kEnumCount<SeedState>, 13u);
    EXPECT_EQ(to_text(SeedState::kFineTuning), "FINE_TUNING");
}

TEST(SeedLifecycle, OnlyTheMovesOfTheDesignAreLegal) {
    using enum SeedState;
    const std::set<std::pair<SeedState, SeedState>> ordinary = {{kDormant, kGerminated},
                                                                {kGerminated, kLoading},
                                                                {kGerminated, kCancelled},
                                                                {kLoading, kTraining},
                                                                {kLoading, kGrafting},
                                                                {kLoading, kCulled},
                                                                {kTraining, kGrafting},
                                                                {kTraining, kCulled},
                                                                {kTraining, kCancelled},
                                                                {kGrafting, kStabilization},
                                                                {kGrafting, kCulled},
                                                                {kStabilization, kEvaluating},
                                                                {kStabilization, kCulled},
                                                                {kEvaluating, kFineTuning},
                                                                {kEvaluating, kFossilized},
                                                                {kEvaluating, kCulled},
                                                                {kFineTuning, kFossilized},
                                                                {kFineTuning, kCulled},
                                                                {kCulled, kDormant},
                                                                {kCancelled, kDormant},
                                                                {kErrorRecovery, kCulled},
                                                                {kGrafting, kErrorRecovery},
                                                                {kStabilization, kErrorRecovery},
                                                                {kEvaluating, kErrorRecovery},
                                                                {kFineTuning, kErrorRecovery},
                                                                {kFossilized, kErrorRecovery}};
    for (const auto& from : enum_entries<SeedState>()) {
        for (const auto& to : enum_entries<SeedState>()) {
            const bool rollback = to.value == kRolledBack && !is_terminal(from.value);
            EXPECT_EQ(may_go(from.value, to.value),
                      rollback || ordinary.contains({from.value, to.value}))
                << from.text << " -> " << to.text;
        }
    }
    EXPECT_FALSE(may_go(static_cast<SeedState>(99), kDormant));
    EXPECT_FALSE(may_go(kDormant, static_cast<SeedState>(99)));
}

TEST(SeedLifecycle, BlendedSeedsAreThoseThatCanFailAtRunTime) {
    for (const auto& entry : enum_entries<SeedState>()) {
        EXPECT_EQ(is_blended(entry.value), may_go(entry.value, SeedState::kErrorRecovery));
    }
    EXPECT_TRUE(is_in_flight(SeedState::kErrorRecovery));
    EXPECT_FALSE(is_in_flight(SeedState::kFossilized));
}

}  // namespace
}  // namespace esper::contracts
