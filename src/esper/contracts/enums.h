#pragma once
// contracts: types that cross a boundary between subsystems or processes; JSON and binary forms.

#include "esper/contracts/enum_text.h"

namespace esper::contracts {

/// The life of a seed (docs/contracts.md). Numbers are part of the wire format and of the state
/// table: append, never renumber.
#define ESPER_SEED_STATES(X)              \
    X(kDormant, 0, "DORMANT")             \
    X(kGerminated, 1, "GERMINATED")       \
    X(kLoading, 2, "LOADING")             \
    X(kTraining, 3, "TRAINING")           \
    X(kGrafting, 4, "GRAFTING")           \
    X(kStabilization, 5, "STABILIZATION") \
    X(kEvaluating, 6, "EVALUATING")       \
    X(kFineTuning, 7, "FINE_TUNING")      \
    X(kFossilized, 8, "FOSSILIZED")       \
    X(kCulled, 9, "CULLED")               \
    X(kCancelled, 10, "CANCELLED")        \
    X(kRolledBack, 11, "ROLLED_BACK")     \
    X(kErrorRecovery, 12, "ERROR_RECOVERY")
ESPER_CONTRACT_ENUM(SeedState, ESPER_SEED_STATES)

/// The course of α from 0 to 1 while a seed is blended in.
#define ESPER_GRAFTING_STRATEGIES(X)           \
    X(kLinear, 0, "LINEAR")                    \
    X(kCosine, 1, "COSINE")                    \
    X(kSmoothstep, 2, "SMOOTHSTEP")            \
    X(kSigmoid, 3, "SIGMOID")                  \
    X(kDriftControlled, 4, "DRIFT_CONTROLLED") \
    X(kInstant, 5, "INSTANT")
ESPER_CONTRACT_ENUM(GraftingStrategy, ESPER_GRAFTING_STRATEGIES)

/// Commands that act on a seed. Only Tolaria may send rollback, only Emrakul prune. Reset makes a
/// slot available again after its seed was culled or cancelled.
#define ESPER_ADAPTATION_COMMANDS(X) \
    X(kGerminate, 0, "germinate")    \
    X(kCancel, 1, "cancel")          \
    X(kPromote, 2, "promote")        \
    X(kGraft, 3, "graft")            \
    X(kStabilize, 4, "stabilize")    \
    X(kEvaluate, 5, "evaluate")      \
    X(kFineTune, 6, "fine_tune")     \
    X(kFossilize, 7, "fossilize")    \
    X(kCull, 8, "cull")              \
    X(kRollback, 9, "rollback")      \
    X(kPrune, 10, "prune")           \
    X(kReset, 11, "reset")
ESPER_CONTRACT_ENUM(AdaptationCommand, ESPER_ADAPTATION_COMMANDS)

#define ESPER_BLUEPRINT_STATUSES(X)   \
    X(kUnvalidated, 0, "UNVALIDATED") \
    X(kCompiling, 1, "COMPILING")     \
    X(kCompiled, 2, "COMPILED")       \
    X(kInvalid, 3, "INVALID")         \
    X(kArchived, 4, "ARCHIVED")
ESPER_CONTRACT_ENUM(BlueprintStatus, ESPER_BLUEPRINT_STATUSES)

#define ESPER_KERNEL_STATUSES(X)                       \
    X(kPendingBenchmarking, 0, "PENDING_BENCHMARKING") \
    X(kValidated, 1, "VALIDATED")                      \
    X(kRejected, 2, "REJECTED")                        \
    X(kDeprecated, 3, "DEPRECATED")
ESPER_CONTRACT_ENUM(KernelStatus, ESPER_KERNEL_STATUSES)

/// How a graft ended, in its field report.
#define ESPER_FIELD_OUTCOMES(X)      \
    X(kFossilized, 0, "FOSSILIZED")  \
    X(kCulled, 1, "CULLED")          \
    X(kRolledBack, 2, "ROLLED_BACK") \
    X(kCancelled, 3, "CANCELLED")
ESPER_CONTRACT_ENUM(FieldOutcome, ESPER_FIELD_OUTCOMES)

/// Confidence in a kernel, derived from its risk score.
#define ESPER_CONFIDENCE_LEVELS(X) \
    X(kHigh, 0, "HIGH")            \
    X(kModerate, 1, "MODERATE")    \
    X(kSpeculative, 2, "SPECULATIVE")
ESPER_CONTRACT_ENUM(ConfidenceLevel, ESPER_CONFIDENCE_LEVELS)

#define ESPER_COMPILATION_PIPELINES(X) \
    X(kFast, 0, "fast")                \
    X(kStandard, 1, "standard")        \
    X(kAggressive, 2, "aggressive")
ESPER_CONTRACT_ENUM(CompilationPipeline, ESPER_COMPILATION_PIPELINES)

/// The format of a compiled kernel's file.
#define ESPER_COMPILATION_TARGETS(X)     \
    X(kInterpreted, 0, "interpreted")    \
    X(kSharedObject, 1, "shared_object") \
    X(kCubin, 2, "cubin")
ESPER_CONTRACT_ENUM(CompilationTarget, ESPER_COMPILATION_TARGETS)

#define ESPER_DEVICE_TYPES(X) X(kCpu, 0, "cpu") X(kCuda, 1, "cuda")
ESPER_CONTRACT_ENUM(DeviceType, ESPER_DEVICE_TYPES)

#define ESPER_HEALTH_VERDICTS(X) \
    X(kHealthy, 0, "Healthy")    \
    X(kWarning, 1, "Warning")    \
    X(kCritical, 2, "Critical")
ESPER_CONTRACT_ENUM(HealthVerdict, ESPER_HEALTH_VERDICTS)

#define ESPER_PRIORITIES(X) X(kLow, 0, "Low") X(kMedium, 1, "Medium") X(kHigh, 2, "High")
ESPER_CONTRACT_ENUM(Priority, ESPER_PRIORITIES)

/// The subsystems by name: trainer, execution layer, controller, policy training, pruning,
/// blueprint inventor, compiler, evaluator, library, message bus, observability.
#define ESPER_COMPONENTS(X)     \
    X(kTolaria, 0, "tolaria")   \
    X(kKasmina, 1, "kasmina")   \
    X(kTamiyo, 2, "tamiyo")     \
    X(kSimic, 3, "simic")       \
    X(kEmrakul, 4, "emrakul")   \
    X(kKarn, 5, "karn")         \
    X(kTezzeret, 6, "tezzeret") \
    X(kUrabrask, 7, "urabrask") \
    X(kUrza, 8, "urza")         \
    X(kOona, 9, "oona")         \
    X(kNissa, 10, "nissa")
ESPER_CONTRACT_ENUM(ComponentType, ESPER_COMPONENTS)

/// Roles of people who use the services.
#define ESPER_ACCESS_ROLES(X)       \
    X(kResearcher, 0, "researcher") \
    X(kOperator, 1, "operator")     \
    X(kCurator, 2, "curator")       \
    X(kAdmin, 3, "admin")
ESPER_CONTRACT_ENUM(AccessRole, ESPER_ACCESS_ROLES)

/// Names of the bus's topics.
#define ESPER_TOPICS(X)                                           \
    X(kSeedHealth, 0, "telemetry.seed.health")                    \
    X(kKasminaCommands, 1, "control.kasmina.commands")            \
    X(kFieldReports, 2, "innovation.field_reports")               \
    X(kBlueprintSubmitted, 3, "compilation.blueprint.submitted")  \
    X(kKernelReady, 4, "compilation.kernel.ready")                \
    X(kKernelCharacterized, 5, "validation.kernel.characterized") \
    X(kEpochEvents, 6, "system.events.epoch")                     \
    X(kCompilationEvents, 7, "compilation.events")                \
    X(kCacheTelemetry, 8, "telemetry.cache")                      \
    X(kKernelTelemetry, 9, "telemetry.kernel")                    \
    X(kRecoveryTelemetry, 10, "telemetry.recovery")
ESPER_CONTRACT_ENUM(Topic, ESPER_TOPICS)

}  // namespace esper::contracts
