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

/// A look that the trainer is asked to take: per-example losses of the probe set with the seed's
/// α = 0 and α = 1, same weights, then `look(differences, spec)`.
struct LookRequest {
    std::uint32_t slot = 0;
    GateStage stage = GateStage::kBeforeGraft;
    std::int64_t ordinal = 1;  ///< k: which seed of the run
    std::int64_t look = 1;     ///< l: which look at this seed
    GateSpec spec = {};
    /// Also compare with a fork of the host from before the graft, trained without the seed: always
    /// for shams, else for gate.fork_share of the seeds, drawn by seed and k. Never at
    /// kBeforeGraft.
    bool fork = false;
};

/// Leads a seed from germination to FOSSILIZED or CULLED and, after the embargo, back to DORMANT.
/// Keeps account of the gates' error: seeds are numbered in the order they germinate, looks are
/// counted over a seed's whole life. At the run's last boundary durations and budgets count as
/// over, so that nothing stays undecided.
class Lifecycle {
  public:
    Lifecycle(const configs::GrowthConfig& growth, const RunShape& run);

    std::vector<LookRequest> looks_due(const ControllerView& view) const;
    /// At most one command a slot, never kGerminate. Books the looks that the view carries.
    std::vector<Decision> decide(const ControllerView& view);
    /// A seed is about to germinate in the slot: gives it its number k.
    std::int64_t germinated(std::uint32_t slot);

    /// Whether the seed in the slot is to be compared with a fork: shams always, of the others
    /// gate.fork_share, drawn by seed and k.
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
        /// Step of the last look: the same weights are not looked at twice.
        std::int64_t looked_at = -1;
        /// Step at which the seed began to learn, or to be blended where it has no parameters.
        std::int64_t began = -1;
    };
    /// Opens accounts for seeds in flight, closes those of slots that are at rest.
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
