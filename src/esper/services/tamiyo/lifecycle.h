#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "esper/configs/growth.h"
#include "esper/services/tamiyo/decision.h"
#include "esper/services/tamiyo/errors.h"
#include "esper/services/tamiyo/life_steps.h"
#include "esper/services/tamiyo/view.h"

namespace esper::tamiyo {

/// A request to the trainer: compute the per-example losses of the probe set with the seed's α = 0
/// and with α = 1, at the same weights, then call `look(differences, spec)`.
struct LookRequest {
    std::uint32_t slot = 0;
    GateStage stage = GateStage::kBeforeGraft;
    std::int64_t ordinal = 1;  ///< k: the seed's number in the run
    std::int64_t look = 1;     ///< l: the look's number for this seed
    GateSpec spec = {};
    /// Whether to compare also with a fork: the host from before the graft, trained on without the
    /// seed. True for shams and for a share gate.fork_share of the other seeds (drawn by run seed
    /// and k), never at kBeforeGraft.
    bool fork = false;
};

/// Commands the moves of every seed after germination: to FOSSILIZED, or to CULLED and, after the
/// embargo, to DORMANT. Distributes the gates' error: seeds are numbered in the order in which they
/// germinate, looks are counted over a seed's whole life. At the run's last boundary all durations
/// and budgets count as over, so that no seed stays undecided.
class Lifecycle {
  public:
    Lifecycle(const configs::GrowthConfig& growth, const RunShape& run);

    std::vector<LookRequest> looks_due(const ControllerView& view) const;
    /// At most one command per slot, never kGerminate. Counts the looks in the view as taken.
    std::vector<Decision> decide(const ControllerView& view);
    /// Call before a seed germinates in the slot. Returns the seed's number k.
    std::int64_t germinated(std::uint32_t slot);

    /// Whether the seed in the slot is compared with a fork: shams always, of the others a share
    /// gate.fork_share, drawn by run seed and k.
    bool draws_fork(std::uint32_t slot, bool sham) const;

    std::int64_t germinations() const { return germinations_; }
    /// At least so many have germinated: a run that went back has spent their error all the same.
    void count_germinations_from(std::int64_t n) { germinations_ = std::max(germinations_, n); }
    const LifeSteps& steps() const { return steps_; }

    nlohmann::json save() const;
    Status restore(const nlohmann::json& state);

  private:
    struct Account {
        std::int64_t ordinal = 0;
        std::int64_t looks = 0;
        /// Step of the last look. There is only one look per step, since the weights are the same.
        std::int64_t looked_at = -1;
        /// Step at which the seed began to learn, or, without parameters, to be blended.
        std::int64_t began = -1;
    };
    /// Adds an account for each new seed in flight; removes those of slots without one.
    void take_stock(const ControllerView& view);
    std::optional<LookRequest> look_due(const ControllerView& view, const SlotView& slot) const;
    std::optional<Decision> next(const ControllerView& view, const SlotView& slot);
    std::optional<Decision> judge(const ControllerView& view, const SlotView& slot);

    configs::GrowthConfig growth_;
    RunShape run_;
    LifeSteps steps_;
    std::int64_t germinations_ = 0;
    std::map<std::uint32_t, Account> accounts_;
};

}  // namespace esper::tamiyo
