#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "esper/contracts/seed_lifecycle.h"
#include "esper/services/tamiyo/gate.h"

namespace esper::tamiyo {

using contracts::SeedState;

/// One slot's measurements of the last epoch. An empty optional was not measured.
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
    // The rest describes a seed that is not dormant. A culled seed keeps its blueprint's name.
    std::string blueprint = {};
    bool sham = false;
    bool has_parameters = true;
    /// In GERMINATED: whether its kernel is compiled and validated.
    bool kernel_ready = true;
    /// In GRAFTING: whether α has reached 1.
    bool ramp_complete = false;
    /// The FLOPs that the seed adds, relative to the network without it.
    double relative_flops = 0;
    double relative_parameters = 0;
    /// Result of the look that `Controller::looks_due` requested at this boundary, if it was taken.
    std::optional<GateResult> gate = {};
    /// The look was asked for, but the account of measuring could not pay for it.
    bool look_refused = false;
    /// The look against the fork, if one was requested and trained. Then this result decides.
    std::optional<GateResult> fork_gate = {};
};

/// A blueprint that could germinate now in a dormant slot.
struct Candidate {
    std::uint32_t slot = 0;
    std::string blueprint = {};
    /// First-order estimate of the loss it saves per example, after the line search. Nothing if it
    /// was not measured; 0 or below if the line search rejected it.
    std::optional<double> predicted_gain = {};
    /// The FLOPs that it would add, relative to the network as it is now.
    double relative_flops = 0;
    double relative_parameters = 0;
    std::optional<double> memory_mb = {};
    std::optional<double> latency_ms = {};
    /// The kernel's risk score, 0–1.
    std::optional<double> risk = {};
    bool sham = false;
    /// Past runs measured its blueprint and hardly ever chose it.
    bool unlikely = false;
};

/// The controller's whole input at an epoch boundary, filled in by the trainer. A controller reads
/// nothing else, so equal views and equal states give equal decisions.
struct ControllerView {
    std::int64_t epoch = 0;  ///< epochs done
    std::int64_t step = 0;   ///< optimizer steps done
    std::int64_t total_steps = 0;
    /// One value per epoch, oldest first; nothing for an epoch that was not measured.
    std::vector<std::optional<double>> train_loss = {};
    std::vector<std::optional<double>> validation_loss = {};
    std::vector<SlotView> slots = {};
    std::vector<Candidate> candidates = {};
    /// FLOPs of the network now, seeds in flight included, divided by those of the initial one.
    double flops_ratio = 1;
    /// False while the learning-rate schedule forbids growth (cool-down).
    bool growth_open = true;
    /// How many more seeds' lives the account of measuring can pay for, and why none where it
    /// cannot.
    int affordable_seeds = std::numeric_limits<int>::max();
    std::string account_shut = {};

    /// The slot with this index, or null.
    const SlotView* slot(std::uint32_t index) const {
        if (index < slots.size() && slots[index].index == index) return &slots[index];
        const auto found = std::ranges::find(slots, index, &SlotView::index);
        return found == slots.end() ? nullptr : &*found;
    }
    bool is_last() const { return step >= total_steps; }
    double progress() const {
        return total_steps > 0 ? static_cast<double>(step) / static_cast<double>(total_steps) : 1;
    }
};

}  // namespace esper::tamiyo
