#pragma once

#include "esper/contracts/assets.h"
#include "esper/contracts/enums.h"
#include "esper/contracts/operational.h"

namespace esper::contracts {

/// The envelope of every message on the bus.
struct OonaMessage {
    ESPER_CONTRACT(OonaMessage, 40, "The envelope of everything on the bus")
    ESPER_REQUIRED(1, std::string, event_id, uuid(), "")
    ESPER_REQUIRED(2, std::string, sender_id, id(), "")
    ESPER_REQUIRED(3, Timestamp, timestamp, any(), "")
    ESPER_REQUIRED(4, std::string, trace_id, id(), "")
    ESPER_REQUIRED(5, Topic, topic, any(), "")
    ESPER_FIELD(6, JsonText, payload, {}, any(), "One of the messages below, with its schema")
};

/// Puts a payload into an envelope with a new event id and the clock's time.
Result<OonaMessage> make_message(Topic topic, std::string sender_id, std::string trace_id,
                                 std::string_view payload_json, const Clock& clock);

template <Contract T>
Result<OonaMessage> wrap_message(Topic topic, std::string sender_id, std::string trace_id,
                                 const T& payload, const Clock& clock) {
    ESPER_TRY(const std::string json, to_json(payload));
    return make_message(topic, std::move(sender_id), std::move(trace_id), json, clock);
}

struct BlueprintSubmitted {
    ESPER_CONTRACT(BlueprintSubmitted, 41, "A blueprint waits for compilation")
    ESPER_REQUIRED(1, std::string, blueprint_id, sha256_hex(), "")
    ESPER_REQUIRED(2, std::string, submitted_by, length(1, 100), "Karn or a person")
    ESPER_REQUIRED(3, Timestamp, timestamp, any(), "")
};

struct KernelReady {
    ESPER_CONTRACT(KernelReady, 42, "A kernel waits for its evaluation")
    ESPER_REQUIRED(1, std::string, blueprint_id, id(), "")
    ESPER_REQUIRED(2, std::string, kernel_artifact_id, id(), "")
    ESPER_REQUIRED(3, CompilationPipeline, pipeline, any(), "")
    ESPER_REQUIRED(4, std::string, kernel_binary_ref, uri(), "")
    ESPER_REQUIRED(5, Timestamp, timestamp, any(), "")
};

struct KernelCharacterized {
    ESPER_CONTRACT(KernelCharacterized, 43, "A kernel has been measured")
    ESPER_REQUIRED(1, std::string, blueprint_id, id(), "")
    ESPER_REQUIRED(2, std::string, kernel_artifact_id, id(), "")
    ESPER_REQUIRED(3, KernelStatus, status, any(), "")
    ESPER_FIELD(4, Words, tags, {}, length(1, 64).items(0, 64), "")
    ESPER_FIELD(5, std::optional<double>, latency_ms, {}, at_least(0), "")
    ESPER_REQUIRED(6, Timestamp, timestamp, any(), "")
};

struct EpochEvent {
    ESPER_CONTRACT(EpochEvent, 44, "An epoch has ended")
    ESPER_REQUIRED(1, std::string, session_id, id(), "")
    ESPER_REQUIRED(2, std::uint32_t, epoch, any(), "")
    ESPER_REQUIRED(3, std::uint64_t, step, any(), "")
    ESPER_REQUIRED(4, double, train_loss, at_least(0), "")
    ESPER_FIELD(5, std::optional<double>, val_loss, {}, at_least(0), "")
    ESPER_FIELD(6, std::optional<double>, val_accuracy, {}, range(0, 1), "")
    ESPER_REQUIRED(7, double, wall_seconds, at_least(0), "Of this epoch")
    ESPER_REQUIRED(8, std::uint32_t, active_seeds, any(), "")
    ESPER_REQUIRED(9, Timestamp, timestamp, any(), "")
};

/// One command to the execution layer, applied at the next epoch boundary.
struct KasminaControlCommand {
    ESPER_CONTRACT(KasminaControlCommand, 45, "One command to the execution layer")
    ESPER_REQUIRED(1, std::string, command_id, uuid(), "")
    ESPER_REQUIRED(2, SeedRef, target, any(), "")
    ESPER_REQUIRED(3, AdaptationCommand, command, any(), "")
    ESPER_REQUIRED(4, ComponentType, issued_by, any(), "")
    ESPER_FIELD(5, std::optional<std::string>, blueprint_id, {}, id(), "")
    ESPER_FIELD(6, std::optional<std::string>, kernel_artifact_id, {}, id(),
                "Required to germinate")
    ESPER_FIELD(7, Words, selected_for_tags, {}, length(1, 64).items(0, 64), "")
    ESPER_FIELD(8, GraftingStrategy, grafting_strategy, GraftingStrategy::kSmoothstep, any(), "")

    std::string inconsistency() const;
};

/// How a graft ended in the field.
struct FieldReport {
    ESPER_CONTRACT(FieldReport, 46, "How a graft ended in the field")
    ESPER_REQUIRED(1, std::string, blueprint_id, id(), "")
    ESPER_REQUIRED(2, std::string, kernel_artifact_id, id(), "")
    ESPER_REQUIRED(3, SeedRef, at, any(), "")
    ESPER_REQUIRED(4, FieldOutcome, outcome, any(), "")
    ESPER_FIELD(5, std::optional<double>, pre_metric, {}, any(), "Before; absent: not measured")
    ESPER_FIELD(6, std::optional<double>, post_metric, {}, any(), "After; absent: not measured")
    ESPER_FIELD(7, Metrics, eval_metrics, {}, any(), "")
    ESPER_FIELD(8, std::uint32_t, germinated_epoch, 0, any(), "")
    ESPER_REQUIRED(9, std::uint32_t, ended_epoch, any(), "")
    ESPER_REQUIRED(10, Timestamp, timestamp, any(), "")

    std::string inconsistency() const;
};

/// A query of the controller to the library.
struct KernelQuery {
    ESPER_CONTRACT(KernelQuery, 47, "A question for kernels")
    ESPER_FIELD(1, std::optional<std::string>, blueprint_id, {}, id(), "Of this blueprint only")
    ESPER_FIELD(2, Words, required_tags, {}, length(1, 64).items(0, 64), "")
    ESPER_FIELD(3, Words, preferred_tags, {}, length(1, 64).items(0, 64), "")
    ESPER_FIELD(4, Words, excluded_tags, {}, length(1, 64).items(0, 64), "")
    ESPER_FIELD(5, std::optional<double>, max_latency_ms, {}, at_least(0), "")
    ESPER_FIELD(6, std::optional<double>, max_memory_mb, {}, at_least(0), "")
    ESPER_FIELD(7, std::optional<std::string>, target_gpu_arch, {}, length(1, 64), "e.g. sm_90")
    ESPER_FIELD(8, std::optional<std::vector<std::int64_t>>, input_shape, {},
                range(1, 1e9).items(0, 16), "Sizes without the batch dimension")
    ESPER_FIELD(9, std::uint32_t, limit, 20, range(1, 1000), "Most candidates to return")

    std::string inconsistency() const;
};

struct KernelMatch {
    ESPER_CONTRACT(KernelMatch, 48, "One answer to a query for kernels")
    ESPER_REQUIRED(1, std::string, blueprint_id, id(), "")
    ESPER_REQUIRED(2, std::string, kernel_artifact_id, id(), "")
    ESPER_REQUIRED(3, KernelStatus, status, any(), "")
    ESPER_REQUIRED(4, double, score, any(), "Higher is better")
    ESPER_FIELD(5, Words, tags, {}, length(1, 64).items(0, 64), "")
    ESPER_FIELD(6, std::optional<double>, latency_ms, {}, at_least(0), "")
    ESPER_FIELD(7, std::optional<double>, memory_mb, {}, at_least(0), "")
    ESPER_FIELD(8, std::optional<double>, risk_score, {}, range(0, 1), "")
};

struct KernelQueryResult {
    ESPER_CONTRACT(KernelQueryResult, 49, "Kernels that answer a query, best first")
    ESPER_FIELD(1, std::vector<KernelMatch>, matching_kernels, {}, any().items(0, 1000), "")
    ESPER_FIELD(2, std::uint64_t, total_matches, 0, any(), "Before the limit")

    std::string inconsistency() const;
};

/// The trainer's notice to the controller that it has restored a checkpoint.
struct RollbackNotice {
    ESPER_CONTRACT(RollbackNotice, 53, "The trainer restored a checkpoint")
    ESPER_REQUIRED(1, SystemStatePacket, last_good_state, any(), "")
    ESPER_REQUIRED(2, SeedRef, failed_seed, any(), "")
    ESPER_FIELD(3, std::optional<std::string>, failed_blueprint_id, {}, id(), "")
    ESPER_REQUIRED(4, std::string, reason, length(1, 1000), "")
    ESPER_REQUIRED(5, Timestamp, timestamp, any(), "")
};

/// Report of a kernel that failed at load or at run time.
struct KernelFailure {
    ESPER_CONTRACT(KernelFailure, 54, "A kernel failed")
    ESPER_REQUIRED(1, SeedRef, at, any(), "")
    ESPER_REQUIRED(2, std::string, kernel_artifact_id, id(), "")
    ESPER_REQUIRED(3, std::string, error, length(1, 255), "Room and name of the error")
    ESPER_REQUIRED(4, std::string, message, length(0, 4096), "")
    ESPER_REQUIRED(5, std::string, strategy, length(1, 64), "What was done about it")
    ESPER_REQUIRED(6, bool, recovered, any(), "")
    ESPER_REQUIRED(7, std::uint32_t, epoch, any(), "")
    ESPER_REQUIRED(8, Timestamp, timestamp, any(), "")
};

/// Figures of one kernel cache.
struct CacheTelemetry {
    ESPER_CONTRACT(CacheTelemetry, 55, "Figures of one kernel cache")
    ESPER_REQUIRED(1, std::string, cache, id(), "")
    ESPER_REQUIRED(2, std::uint64_t, entries, any(), "")
    ESPER_REQUIRED(3, std::uint64_t, bytes, any(), "")
    ESPER_REQUIRED(4, std::uint64_t, hits, any(), "")
    ESPER_REQUIRED(5, std::uint64_t, misses, any(), "")
    ESPER_REQUIRED(6, std::uint64_t, evictions, any(), "")
    ESPER_FIELD(7, Metrics, misses_by_cause, {}, at_least(0), "")
    ESPER_REQUIRED(8, Timestamp, timestamp, any(), "")

    /// Share of look-ups that were hits; nothing before the first look-up.
    std::optional<double> hit_rate() const;
};

/// One step of experience for policy training.
struct ReplayTrajectory {
    ESPER_CONTRACT(ReplayTrajectory, 57, "One step of experience")
    ESPER_REQUIRED(1, std::string, run_id, id(), "")
    ESPER_REQUIRED(2, std::uint32_t, epoch, any(), "")
    ESPER_REQUIRED(3, SystemStatePacket, state, any(), "")
    ESPER_FIELD(4, std::optional<KernelQuery>, query, {}, any(), "")
    ESPER_FIELD(5, std::optional<KernelQueryResult>, query_result, {}, any(), "")
    ESPER_FIELD(6, std::optional<AdaptationDecision>, action, {}, any(), "Absent: did nothing")
    ESPER_FIELD(7, std::optional<double>, reward, {}, any(), "Absent: not known yet")
    ESPER_FIELD(8, std::optional<SystemStatePacket>, next_state, {}, any(), "")
};

}  // namespace esper::contracts
