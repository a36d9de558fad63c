#pragma once
// execution (Kasmina): the seeds' state table, the kernel cache, the kernel executor, recovery.

#include <array>
#include <cstdint>

#include "esper/base/error.h"
#include "esper/contracts/enums.h"
#include "esper/contracts/seed_lifecycle.h"

namespace esper::execution {

using contracts::ComponentType;
using contracts::SeedState;

#define ESPER_STATE_ERRORS(X)           \
    X(kNoSuchSeed, kUsage)              \
    X(kIllegalTransition, kUsage)       \
    X(kWrongActor, kUsage)              \
    X(kTerminal, kUsage)                \
    X(kStale, kRuntime)                 \
    X(kEmbargoed, kRuntime)             \
    X(kMissingKernel, kUsage)           \
    X(kBadValue, kUsage)                \
    X(kGroupRefused, kRuntime)          \
    X(kQueueFull, kRuntime)             \
    X(kSizeMismatch, kData)             \
    X(kBadSnapshot, kData)              \
    X(kUnsupportedVersion, kData)       \
    X(kChecksumMismatch, kVerification) \
    X(kCorrupt, kVerification)
ESPER_DEFINE_ERRORS(StateError, "state", ESPER_STATE_ERRORS)

namespace detail {

constexpr std::uint16_t bit(ComponentType c) {
    return static_cast<std::uint16_t>(1u << static_cast<unsigned>(c));
}

constexpr std::uint16_t actors_of(SeedState from, SeedState to) {
    using enum SeedState;
    if (!contracts::may_go(from, to)) return 0;
    if (to == kRolledBack) return bit(ComponentType::kTolaria);
    if (to == kErrorRecovery) return bit(ComponentType::kKasmina);
    const bool reported_by_kasmina =
        from == kLoading || from == kCulled || from == kCancelled || from == kErrorRecovery;
    const unsigned also = reported_by_kasmina ? bit(ComponentType::kKasmina) : 0u;
    return static_cast<std::uint16_t>(bit(ComponentType::kTamiyo) | also);
}

inline constexpr std::size_t kStates = contracts::kEnumCount<SeedState>;

/// For each move the actors that may make it, one bit per component.
inline constexpr auto kActors = [] {
    std::array<std::array<std::uint16_t, kStates>, kStates> table{};
    for (std::size_t f = 0; f < kStates; ++f) {
        for (std::size_t t = 0; t < kStates; ++t) {
            table[f][t] = actors_of(static_cast<SeedState>(f), static_cast<SeedState>(t));
        }
    }
    return table;
}();

}  // namespace detail

/// Whether `actor` may move a seed from one state to the other. The move must be one of
/// contracts::may_go. Only Tolaria moves seeds to ROLLED_BACK (from states that are not terminal).
/// Only Kasmina moves seeds to ERROR_RECOVERY. Tamiyo may make all other moves; Kasmina may make
/// those out of LOADING, CULLED, CANCELLED and ERROR_RECOVERY.
constexpr bool is_legal(SeedState from, SeedState to, ComponentType actor) {
    const auto f = static_cast<std::size_t>(from);
    const auto t = static_cast<std::size_t>(to);
    return f < detail::kStates && t < detail::kStates &&
           (detail::kActors[f][t] & detail::bit(actor)) != 0;
}

/// The same as a Status. Errors: kTerminal, kIllegalTransition, kWrongActor.
Status check_transition(SeedState from, SeedState to, ComponentType actor);

/// States in which a failing kernel may hit the host, so that a fault leads to ERROR_RECOVERY.
constexpr bool can_fault(SeedState s) { return contracts::may_go(s, SeedState::kErrorRecovery); }

/// After this many run-time errors a seed moves to ERROR_RECOVERY.
inline constexpr std::uint16_t kErrorsUntilRecovery = 3;

}  // namespace esper::execution
