#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "esper/contracts/enums.h"

namespace esper::contracts {

namespace detail {
constexpr std::uint16_t states(std::initializer_list<SeedState> list) {
    std::uint16_t mask = 0;
    for (SeedState s : list) mask = static_cast<std::uint16_t>(mask | (1u << static_cast<int>(s)));
    return mask;
}
}  // namespace detail

/// For each state (by number), the set of states it may go to, one bit per state.
inline constexpr std::array<std::uint16_t, kEnumCount<SeedState>> kSeedSuccessors = [] {
    using enum SeedState;
    using detail::states;
    std::array<std::uint16_t, kEnumCount<SeedState>> to{};
    auto at = [&to](SeedState s) -> std::uint16_t& { return to[static_cast<std::size_t>(s)]; };
    at(kDormant) = states({kGerminated, kRolledBack});
    at(kGerminated) = states({kLoading, kCancelled, kRolledBack});
    at(kLoading) = states({kTraining, kGrafting, kCulled, kRolledBack});
    at(kTraining) = states({kGrafting, kCulled, kCancelled, kRolledBack});
    at(kGrafting) = states({kStabilization, kCulled, kErrorRecovery, kRolledBack});
    at(kStabilization) = states({kEvaluating, kCulled, kErrorRecovery, kRolledBack});
    at(kEvaluating) = states({kFineTuning, kFossilized, kCulled, kErrorRecovery, kRolledBack});
    at(kFineTuning) = states({kFossilized, kCulled, kErrorRecovery, kRolledBack});
    at(kFossilized) = states({kErrorRecovery});
    at(kCulled) = states({kDormant, kRolledBack});
    at(kCancelled) = states({kDormant, kRolledBack});
    at(kRolledBack) = 0;
    at(kErrorRecovery) = states({kCulled, kRolledBack});
    return to;
}();

/// Whether a seed may move from one state to the other. Which component may ask for the move is
/// checked elsewhere: execution/states/transitions.h and check_command (validators.h).
constexpr bool may_go(SeedState from, SeedState to) {
    const auto f = static_cast<unsigned>(from);
    const auto t = static_cast<unsigned>(to);
    return f < kSeedSuccessors.size() && t < kSeedSuccessors.size() &&
           ((kSeedSuccessors[f] >> t) & 1u) != 0;
}

/// Whether no command leads out of the state: FOSSILIZED and ROLLED_BACK. (A fossilized seed that
/// fails at run time still enters ERROR_RECOVERY.)
constexpr bool is_terminal(SeedState s) {
    return s == SeedState::kFossilized || s == SeedState::kRolledBack;
}

/// The seed's kernel contributes to the host's output (α may be above 0).
constexpr bool is_blended(SeedState s) {
    return s == SeedState::kGrafting || s == SeedState::kStabilization ||
           s == SeedState::kEvaluating || s == SeedState::kFineTuning ||
           s == SeedState::kFossilized;
}

/// Whether the slot holds a seed that is awake and not yet kept, culled, cancelled or rolled back.
constexpr bool is_in_flight(SeedState s) {
    return s != SeedState::kDormant && s != SeedState::kFossilized && s != SeedState::kCulled &&
           s != SeedState::kCancelled && s != SeedState::kRolledBack;
}

}  // namespace esper::contracts
