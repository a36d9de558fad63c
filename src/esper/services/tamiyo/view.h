#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "esper/contracts/seed_lifecycle.h"
#include "esper/services/tamiyo/gate.h"

namespace esper::tamiyo {

using contracts::SeedState;

/// What one slot reported of the last epoch. Nothing means not measured.
struct SlotSignals {
    std::optional<double> activation_variance = {};
    /// Share of units that never fired, 0–1.
    std::optional<double> dead_ratio = {};
    /// Norm of the loss's gradient at the anchor.
    std::optional<double> gradient_norm = {};
};

/// One slot: a place in the network where a seed sleeps, lives or has been kept.
struct SlotView {
    std::uint32_t index = 0;
    std::string seed = {};
    std::string anchor = {};
    SeedState state = SeedState::kDormant;
    std::int64_t steps_in_state = 0;
    SlotSignals signals = {};
    // What follows concerns a seed that is not dormant; a culled one keeps its blueprint's name.
    std::string blueprint = {};
    bool sham = false;
    bool has_parameters = true;
    /// GERMINATED: its kernel is compiled and validated.
    bool kernel_ready = true;
    /// GRAFTING: α has reached 1.
    bool ramp_complete = false;
    /// What the seed adds, relative to the network without it.
    double relative_flops = 0;
    double relative_parameters = 0;
    /// The look that `Controller::looks_due` asked for at this boundary. Nothing: not measured.
    std::optional<GateResult> gate = {};
    /// The same differences against the fork, where one was asked for and trained: it decides then.
    std::optional<GateResult> fork_gate = {};
};

/// A blueprint that could be germinated in a dormant slot now.
struct Candidate {
    std::uint32_t slot = 0;
    std::string blueprint = {};
    /// First-order estimate of the loss it saves per example, after the line search; nothing: not
    /// measured; 0 or below: the line search rejected it.
    std::optional<double> predicted_gain = {};
    /// What it would add, relative to the network as it is.
    double relative_flops = 0;
    double relative_parameters = 0;
    std::optional<double> memory_mb = {};
    std::optional<double> latency_ms = {};
    /// The kernel's risk score, 0–1.
    std::optional<double> risk = {};
    bool sham = false;
};

/// Everything a controller sees at an epoch boundary. The trainer fills it in; a controller reads
/// nothing else, so that equal views and equal state give equal decisions.
struct ControllerView {
    std::int64_t epoch = 0;  ///< epochs done
    std::int64_t step = 0;   ///< optimizer steps done
    std::int64_t total_steps = 0;
    /// One value an epoch, oldest first; nothing where an epoch was not measured.
    std::vector<std::optional<double>> train_loss = {};
    std::vector<std::optional<double>> validation_loss = {};
    std::vector<SlotView> slots = {};
    std::vector<Candidate> candidates = {};
    /// FLOPs of the network as it is (seeds in flight included) against the first one.
    double flops_ratio = 1;
    /// False where the learning-rate schedule forbids growth (cool-down).
    bool growth_open = true;

    bool is_last() const { return step >= total_steps; }
    double progress() const {
        return total_steps > 0 ? static_cast<double>(step) / static_cast<double>(total_steps) : 1;
    }
};

}  // namespace esper::tamiyo
