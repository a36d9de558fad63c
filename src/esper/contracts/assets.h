#pragma once

#include "esper/contracts/enums.h"
#include "esper/contracts/operational.h"

namespace esper::contracts {

/// Description of a compiled kernel, readable without loading the kernel.
struct KernelMetadata {
    ESPER_CONTRACT(KernelMetadata, 3, "What is known of a kernel without loading it")
    ESPER_REQUIRED(1, std::string, name, length(1, 255), "")
    ESPER_REQUIRED(2, std::vector<std::int64_t>, input_shape, range(1, 1e9).items(0, 16),
                   "Sizes without the batch dimension")
    ESPER_REQUIRED(3, std::vector<std::int64_t>, output_shape, range(1, 1e9).items(0, 16),
                   "Sizes without the batch dimension")
    ESPER_REQUIRED(4, std::uint64_t, parameter_count, any(), "")
    ESPER_REQUIRED(5, double, memory_footprint_mb, at_least(0), "At batch 32, in MiB")
    ESPER_FIELD(6, std::vector<DeviceType>, device_requirements, {}, any().items(0, 8),
                "Devices it runs on; empty means the CPU")
    ESPER_FIELD(7, CompilationTarget, target, CompilationTarget::kSharedObject, any(), "")
    ESPER_FIELD(8, JsonText, optimization_flags, {}, any(), "What the compiler was told")
    ESPER_FIELD(9, Metrics, performance_profile, {}, any(), "Figures measured at compile time")
    ESPER_FIELD(10, std::string, compatibility_version, "1.0", length(1, 16),
                "Version of the kernel ABI")
    ESPER_REQUIRED(11, Timestamp, created_at, any(), "")
    ESPER_FIELD(12, std::optional<std::string>, checksum, {}, sha256_hex(),
                "SHA-256 of the kernel's file")

    /// Whether `shape` equals the kernel's input shape.
    bool accepts(const std::vector<std::int64_t>& shape) const { return shape == input_shape; }
    /// Memory at a batch size in MiB: the footprint at batch 32, scaled in proportion.
    double memory_estimate_mb(std::uint32_t batch) const {
        return memory_footprint_mb * batch / 32.0;
    }
};

/// How one artifact was compiled.
struct CompilationRecord {
    ESPER_CONTRACT(CompilationRecord, 4, "How one artifact was compiled")
    ESPER_REQUIRED(1, CompilationPipeline, pipeline, any(), "")
    ESPER_REQUIRED(2, double, compilation_seconds, at_least(0), "")
    ESPER_FIELD(3, std::optional<double>, peak_memory_gb, {}, at_least(0), "Of the compiler, GiB")
    ESPER_REQUIRED(4, std::string, toolchain_version, length(1, 255), "")
    ESPER_FIELD(5, Words, optimization_flags, {}, length(1, 255).items(0, 256), "")
};

/// The evaluator's verdict on one kernel on one kind of hardware.
struct UrabraskValidationReport {
    ESPER_CONTRACT(UrabraskValidationReport, 5, "The evaluator's verdict on one kernel")
    ESPER_REQUIRED(1, bool, passed_validation, any(), "")
    ESPER_REQUIRED(2, Metrics, benchmark_results, any(),
                   "latency_ms_mean, latency_ms_p99, throughput_ops_per_sec, memory_mb_peak, "
                   "power_watts_avg, precision_drift_vs_fp32 as far as they were measured")
    ESPER_FIELD(3, Words, generated_tags, {}, length(1, 64).items(0, 64), "e.g. high_speed")
    ESPER_FIELD(4, Metrics, baseline_comparison, {}, any(), "Percent against the interpreter")
    ESPER_REQUIRED(5, HardwareContext, hardware_context, any(), "Where it was measured")
    ESPER_REQUIRED(6, Timestamp, report_timestamp, any(), "")
    ESPER_FIELD(7, std::optional<double>, weighted_evaluation, {}, any(),
                "Benchmark scores under the evaluator's weights")
    ESPER_FIELD(8, std::optional<double>, risk_score, {}, range(0, 1),
                "Predicted probability of failing in the field")
    ESPER_FIELD(9, std::optional<ConfidenceLevel>, conf_level, {}, any(),
                "HIGH up to risk 0.2, MODERATE up to 0.5, else SPECULATIVE")
    ESPER_FIELD(10, std::optional<double>, urabrask_interest, {}, range(0, 1), "Novelty")
    ESPER_FIELD(11, std::optional<std::string>, failure, {}, length(1, 4096), "Why it did not pass")

    std::string inconsistency() const;
};

/// HIGH up to a risk of 0.2, MODERATE up to 0.5, else SPECULATIVE.
ConfidenceLevel confidence_for_risk(double risk_score);

/// An executable built from a blueprint by one pipeline for one hardware target.
struct CompiledKernelArtifact {
    ESPER_CONTRACT(CompiledKernelArtifact, 6, "An executable built from a blueprint")
    ESPER_REQUIRED(1, std::string, kernel_artifact_id, id(),
                   "<blueprint prefix>-<target>-<pipeline>-<toolchain hash>")
    ESPER_REQUIRED(2, std::string, blueprint_id, id(), "")
    ESPER_FIELD(3, KernelStatus, status, KernelStatus::kPendingBenchmarking, any(), "")
    ESPER_REQUIRED(4, CompilationPipeline, compilation_pipeline, any(), "")
    ESPER_REQUIRED(5, std::string, kernel_binary_ref, uri(), "Where the file lies")
    ESPER_REQUIRED(6, KernelMetadata, metadata, any(), "")
    ESPER_REQUIRED(7, CompilationRecord, compilation_metadata, any(), "")
    ESPER_FIELD(8, std::optional<UrabraskValidationReport>, validation_report, {}, any(), "")
    ESPER_FIELD(9, std::optional<std::string>, signature, {}, shaped(Format::kHex),
                "Ed25519 over the manifest")
    ESPER_FIELD(10, JsonText, deployment_stats, {}, any(), "What became of its grafts")
    ESPER_REQUIRED(11, Timestamp, created_at, any(), "")
    ESPER_FIELD(12, std::optional<Timestamp>, last_used_at, {}, any(), "")

    std::string inconsistency() const;
};

/// An abstract design, identified by the canonical hash of its Program.
struct Blueprint {
    ESPER_CONTRACT(Blueprint, 7, "An abstract design of a module")
    ESPER_REQUIRED(1, std::string, blueprint_id, sha256_hex(), "Canonical hash of the Program")
    ESPER_REQUIRED(2, std::string, name, length(1, 255), "")
    ESPER_REQUIRED(3, std::string, description, length(1, 1000), "")
    ESPER_FIELD(4, BlueprintStatus, status, BlueprintStatus::kUnvalidated, any(), "")
    ESPER_REQUIRED(5, std::string, architecture, length(1, 16777216), "The Program's text form")
    ESPER_REQUIRED(6, std::string, architecture_sha256, sha256_hex(), "SHA-256 of that text")
    ESPER_FIELD(7, std::optional<std::string>, architecture_ref, {}, uri(),
                "Where the Program lies as a file")
    ESPER_FIELD(8, JsonText, hyperparameters, {}, any(), "")
    ESPER_FIELD(9, Metrics, performance_metrics, {}, any(), "")
    ESPER_FIELD(10, JsonText, metadata, {}, any(), "Free notes")
    ESPER_FIELD(11, Words, parents, {}, sha256_hex().items(0, 64), "Blueprints it descends from")
    ESPER_FIELD(12, Words, compiled_artifacts, {}, id().items(0, 4096), "Ids of its kernels")
    ESPER_FIELD(13, std::optional<double>, tamiyo_interest, {}, range(0, 1), "Strategic value")
    ESPER_FIELD(14, std::optional<double>, urabrask_interest, {}, range(0, 1), "Novelty")
    ESPER_REQUIRED(15, std::string, created_by, length(1, 100), "")
    ESPER_REQUIRED(16, Timestamp, created_at, any(), "")
    ESPER_REQUIRED(17, Timestamp, updated_at, any(), "")

    bool is_deployable() const { return status == BlueprintStatus::kCompiled; }
    /// `accuracy: 0.913, latency_ms: 0.410`, or `none available`.
    std::string metric_summary() const;
    std::string inconsistency() const;
};

/// What a client sends to add a blueprint; the library fills in the rest.
struct BlueprintSubmission {
    ESPER_CONTRACT(BlueprintSubmission, 8, "A request to add a blueprint")
    ESPER_REQUIRED(1, std::string, name, length(1, 255), "")
    ESPER_REQUIRED(2, std::string, description, length(1, 1000), "")
    ESPER_REQUIRED(3, std::string, architecture, length(1, 16777216), "The Program's text form")
    ESPER_FIELD(4, JsonText, metadata, {}, any(), "Free notes")
    ESPER_FIELD(5, Words, parents, {}, sha256_hex().items(0, 64), "Blueprints it descends from")
    ESPER_REQUIRED(6, std::string, submitted_by, length(1, 100), "Karn or a person")
};

}  // namespace esper::contracts
