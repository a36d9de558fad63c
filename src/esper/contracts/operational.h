#pragma once

#include "esper/contracts/enums.h"
#include "esper/contracts/seed_ref.h"

namespace esper::contracts {

/// Statistics of the activations at one seed.
struct HealthSignal {
    ESPER_CONTRACT(HealthSignal, 20, "What a seed reports of the activations it watches")
    ESPER_REQUIRED(1, SeedRef, at, any(), "")
    ESPER_FIELD(2, std::uint32_t, chunk_id, 0, any(), "Which slice of the activation")
    ESPER_REQUIRED(3, std::uint32_t, epoch, any(), "")
    ESPER_REQUIRED(4, double, activation_variance, at_least(0), "")
    ESPER_REQUIRED(5, double, dead_neuron_ratio, range(0, 1), "")
    ESPER_REQUIRED(6, double, avg_correlation, range(-1, 1), "")
    ESPER_FIELD(7, bool, is_ready_for_transition, false, any(), "The seed asks to be moved on")
    ESPER_FIELD(8, double, health_score, 1.0, range(0, 1), "")
    ESPER_FIELD(9, std::optional<double>, gradient_norm, {}, at_least(0), "At the anchor")
    ESPER_FIELD(10, double, execution_latency_us, 0.0, at_least(0), "Microseconds")
    ESPER_FIELD(11, std::uint32_t, error_count, 0, any(), "")
    ESPER_FIELD(12, std::uint32_t, active_seeds, 1, any(), "At this anchor")
    ESPER_FIELD(13, std::uint32_t, total_seeds, 1, at_least(1), "At this anchor")
    ESPER_REQUIRED(14, Timestamp, timestamp, any(), "")

    /// Healthy from 0.8, warning from 0.6.
    HealthVerdict verdict() const;
    bool is_healthy() const { return health_score >= 0.7 && error_count < 5; }
    std::string inconsistency() const;
};

/// The machine of a run or a measurement.
struct HardwareContext {
    ESPER_CONTRACT(HardwareContext, 21, "The machine")
    ESPER_REQUIRED(1, DeviceType, device_type, any(), "")
    ESPER_REQUIRED(2, double, memory_available_gb, at_least(0), "GiB")
    ESPER_FIELD(3, bool, supports_quantization, false, any(), "")
    ESPER_FIELD(4, std::string, device_name, "", length(0, 255), "e.g. the CPU's model name")
    ESPER_FIELD(5, Metrics, properties, {}, any(), "Cores, clock, bandwidth as far as known")
    ESPER_FIELD(6, std::string, driver, "", length(0, 255), "Driver and runtime versions")
};

/// The state of one seed in a SystemStatePacket.
struct SeedStatus {
    ESPER_CONTRACT(SeedStatus, 22, "What one seed is doing")
    ESPER_REQUIRED(1, SeedRef, at, any(), "")
    ESPER_REQUIRED(2, SeedState, state, any(), "")
    ESPER_FIELD(3, std::optional<std::string>, blueprint_id, {}, id(), "")
    ESPER_FIELD(4, std::optional<std::string>, kernel_artifact_id, {}, id(), "")
    ESPER_FIELD(5, double, alpha, 0.0, range(0, 1), "Blend weight")
    ESPER_FIELD(6, std::uint32_t, epochs_in_state, 0, any(), "")
    ESPER_FIELD(7, std::optional<std::uint32_t>, embargo_until_epoch, {}, any(), "")
};

/// What the controller receives at an epoch boundary.
struct SystemStatePacket {
    ESPER_CONTRACT(SystemStatePacket, 23, "What the trainer tells the controller each epoch")
    ESPER_REQUIRED(1, std::uint32_t, current_epoch, any(), "")
    ESPER_REQUIRED(2, std::uint32_t, total_seeds, any(), "")
    ESPER_REQUIRED(3, std::uint32_t, active_seeds, any(), "")
    ESPER_REQUIRED(4, double, training_loss, at_least(0), "")
    ESPER_REQUIRED(5, double, validation_loss, at_least(0), "")
    ESPER_FIELD(6, std::optional<double>, validation_accuracy, {}, range(0, 1), "")
    ESPER_REQUIRED(7, HardwareContext, hardware_context, any(), "")
    ESPER_FIELD(8, std::vector<HealthSignal>, health, {}, any(), "One entry per seed and chunk")
    ESPER_FIELD(9, std::vector<SeedStatus>, seeds, {}, any(), "One entry per seed")
    ESPER_REQUIRED(10, double, system_load, range(0, 1), "")
    ESPER_REQUIRED(11, double, memory_usage, range(0, 1), "")
    ESPER_FIELD(12, std::optional<std::string>, program_sha256, {}, sha256_hex(),
                "The Program in training")
    ESPER_REQUIRED(13, Timestamp, timestamp, any(), "")

    /// Critical above 0.9 of load or memory, warning above 0.7.
    HealthVerdict system_health() const;
    bool is_overloaded() const { return system_load > 0.8 || memory_usage > 0.8; }
    std::string inconsistency() const;
};

/// One decision with its evidence.
struct AdaptationDecision {
    ESPER_CONTRACT(AdaptationDecision, 25, "One decision of the controller")
    ESPER_REQUIRED(1, SeedRef, at, any(), "")
    ESPER_REQUIRED(2, AdaptationCommand, command, any(), "")
    ESPER_REQUIRED(3, double, confidence, range(0, 1), "")
    ESPER_REQUIRED(4, double, urgency, range(0, 1), "")
    ESPER_FIELD(5, std::string, reasoning, "", length(0, 4096), "")
    ESPER_FIELD(6, JsonText, metadata, {}, any(), "Evidence and alternatives")
    ESPER_REQUIRED(7, Timestamp, timestamp, any(), "")

    /// The mean of confidence and urgency decides: high from 0.8, medium from 0.5.
    Priority priority() const;
    bool is_immediate() const { return urgency > 0.7 && confidence > 0.6; }
};

}  // namespace esper::contracts
