#pragma once
// execution (Kasmina): the seeds' state table, the kernel cache, kernels on probation.

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
    X(kEmbargoed, kRuntime)             \
    X(kMissingKernel, kUsage)           \
    X(kBadValue, kUsage)                \
    X(kSizeMismatch, kData)             \
    X(kBadSnapshot, kData)              \
    X(kUnsupportedVersion, kData)       \
    X(kChecksumMismatch, kVerification) \
    X(kCorrupt, kVerification)
ESPER_DEFINE_ERRORS(StateError, "state", ESPER_STATE_ERRORS)

/// Whether `actor` may move a seed from one state to the other; contracts say who may.
constexpr bool is_legal(SeedState from, SeedState to, ComponentType actor) {
    return contracts::may_move(from, to, actor);
}

/// The same as a Status. Errors: kTerminal, kIllegalTransition, kWrongActor.
Status check_transition(SeedState from, SeedState to, ComponentType actor);

/// States in which a failing kernel may hit the host, so that a fault leads to ERROR_RECOVERY.
constexpr bool can_fault(SeedState s) { return contracts::may_go(s, SeedState::kErrorRecovery); }

/// After this many run-time errors a seed moves to ERROR_RECOVERY.
inline constexpr std::uint16_t kErrorsUntilRecovery = 3;

}  // namespace esper::execution
