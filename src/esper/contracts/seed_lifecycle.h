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

/// Whether a seed may move from one state to the other, whoever asks; see may_move().
constexpr bool may_go(SeedState from, SeedState to) {
    const auto f = static_cast<unsigned>(from);
    const auto t = static_cast<unsigned>(to);
    return f < kSeedSuccessors.size() && t < kSeedSuccessors.size() &&
           ((kSeedSuccessors[f] >> t) & 1u) != 0;
}

/// A component as a member of a set of them.
constexpr std::uint16_t mover(ComponentType component) {
    return static_cast<std::uint16_t>(1u << static_cast<unsigned>(component));
}

/// For each move of a seed, the set of components that may make it; empty where there is no such
/// move. The one place where this is said:
///   Tolaria alone enters ROLLED_BACK (from any state that is not terminal),
///   Kasmina alone enters ERROR_RECOVERY, and reports how a load ended and when an embargo is over,
///   Tamiyo commands everything else (and may do what Kasmina reports, except ERROR_RECOVERY).
inline constexpr auto kSeedMovers = [] {
    using enum SeedState;
    constexpr std::size_t kStates = kEnumCount<SeedState>;
    std::array<std::array<std::uint16_t, kStates>, kStates> table{};
    for (std::size_t f = 0; f < kStates; ++f) {
        for (std::size_t t = 0; t < kStates; ++t) {
            const auto from = static_cast<SeedState>(f);
            const auto to = static_cast<SeedState>(t);
            std::uint16_t& movers = table[f][t];
            if (!may_go(from, to)) continue;
            if (to == kRolledBack) {
                movers = mover(ComponentType::kTolaria);
            } else if (to == kErrorRecovery) {
                movers = mover(ComponentType::kKasmina);
            } else {
                movers = mover(ComponentType::kTamiyo);
                const bool reported = from == kLoading || from == kCulled || from == kCancelled ||
                                      from == kErrorRecovery;
                if (reported) movers |= mover(ComponentType::kKasmina);
            }
        }
    }
    return table;
}();

/// The set of components that may make the move; empty where there is no such move.
constexpr std::uint16_t seed_movers(SeedState from, SeedState to) {
    const auto f = static_cast<std::size_t>(from);
    const auto t = static_cast<std::size_t>(to);
    return f < kSeedMovers.size() && t < kSeedMovers.size() ? kSeedMovers[f][t] : std::uint16_t{0};
}

/// Whether this component may move a seed from one state to the other.
constexpr bool may_move(SeedState from, SeedState to, ComponentType component) {
    return (seed_movers(from, to) & mover(component)) != 0;
}

/// FOSSILIZED and ROLLED_BACK: nothing a controller may ask for leads out of them (a fossilized
/// seed can still fail at run time and enter ERROR_RECOVERY).
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
