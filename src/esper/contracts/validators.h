#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

#include "esper/contracts/assets.h"
#include "esper/contracts/contract_error.h"
#include "esper/contracts/enums.h"

namespace esper::contracts {

/// Who acts: a subsystem or a person in a role.
using Actor = std::variant<ComponentType, AccessRole>;
std::string_view actor_name(const Actor& actor);

/// (layer index, seed index). Errors: kWrongType unless there are two numbers, kOutOfRange if one
/// is negative or beyond 32 bits.
Result<std::pair<std::uint32_t, std::uint32_t>> validate_seed_id(std::span<const std::int64_t> id);

/// UNVALIDATED → COMPILING → COMPILED or INVALID by the compiler (Tezzeret); COMPILED or INVALID →
/// ARCHIVED by the library (Urza), a curator or an admin. Errors: kIllegalTransition, kWrongRole.
Status check_transition(BlueprintStatus from, BlueprintStatus to, const Actor& actor);

/// PENDING_BENCHMARKING → VALIDATED or REJECTED by the evaluator (Urabrask) alone; either →
/// DEPRECATED by the library, a curator or an admin. Errors: kIllegalTransition, kWrongRole.
Status check_transition(KernelStatus from, KernelStatus to, const Actor& actor);

/// The moves of seed_lifecycle.h, applied by the execution layer (Kasmina); ROLLED_BACK by the
/// trainer (Tolaria) alone. Errors: kIllegalTransition, kWrongRole.
Status check_transition(SeedState from, SeedState to, const Actor& actor);

/// Rollback belongs to Tolaria, prune to Emrakul, everything else to Tamiyo. Error: kWrongRole.
Status check_command(AdaptationCommand command, ComponentType issued_by);

/// Moves the status and `updated_at`, or leaves the asset as it was.
Status advance(Blueprint& blueprint, BlueprintStatus to, const Actor& actor, Timestamp when);
/// The same for a kernel; becoming VALIDATED or REJECTED takes the evaluator's report, which must
/// say so too (kInconsistent otherwise).
Status advance(CompiledKernelArtifact& kernel, KernelStatus to, const Actor& actor,
               const UrabraskValidationReport* report = nullptr);

/// Every rule of the type and the checksum of the architecture. Whether the architecture is a
/// Program is for graph::from_text() to say, which reads it. Errors: those of check(),
/// kChecksumMismatch.
Status validate(const Blueprint& blueprint);

}  // namespace esper::contracts
