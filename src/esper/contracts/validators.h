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

/// The subsystem, or the role of the person, that asks for a change.
using Actor = std::variant<ComponentType, AccessRole>;
std::string_view actor_name(const Actor& actor);

/// Reads {layer index, seed index}. Errors: kWrongType unless there are two numbers, kOutOfRange if
/// one is negative or does not fit into 32 bits.
Result<std::pair<std::uint32_t, std::uint32_t>> validate_seed_id(std::span<const std::int64_t> id);

/// The compiler (Tezzeret) moves UNVALIDATED → COMPILING → COMPILED or INVALID. The library (Urza),
/// a curator or an admin moves COMPILED or INVALID → ARCHIVED. Errors: kIllegalTransition,
/// kWrongRole.
Status check_transition(BlueprintStatus from, BlueprintStatus to, const Actor& actor);

/// Only the evaluator (Urabrask) moves PENDING_BENCHMARKING → VALIDATED or REJECTED. The library, a
/// curator or an admin moves either to DEPRECATED. Errors: kIllegalTransition, kWrongRole.
Status check_transition(KernelStatus from, KernelStatus to, const Actor& actor);

/// Allows the moves of seed_lifecycle.h to the execution layer (Kasmina), except those to
/// ROLLED_BACK, which only the trainer (Tolaria) makes. Errors: kIllegalTransition, kWrongRole.
Status check_transition(SeedState from, SeedState to, const Actor& actor);

/// Tolaria issues rollback, Emrakul prune, Tamiyo every other command. Error: kWrongRole.
Status check_command(AdaptationCommand command, ComponentType issued_by);

/// Sets the status and `updated_at`. On an error the asset is unchanged.
Status advance(Blueprint& blueprint, BlueprintStatus to, const Actor& actor, Timestamp when);
/// The same for a kernel. A move to VALIDATED or REJECTED needs the evaluator's report with that
/// same result (kInconsistent otherwise).
Status advance(CompiledKernelArtifact& kernel, KernelStatus to, const Actor& actor,
               const UrabraskValidationReport* report = nullptr);

/// Every rule of the type and the checksum of the architecture. Whether the architecture is a
/// Program is for graph::from_text() to say, which reads it. Errors: those of check(),
/// kChecksumMismatch.
Status validate(const Blueprint& blueprint);

}  // namespace esper::contracts
