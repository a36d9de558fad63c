#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "esper/configs/config.h"
#include "esper/services/tolaria/learn/checkpoint.h"

namespace esper::tolaria {

/// Why a run goes back.
enum class TroubleKind { kNotFinite, kSpike, kRequest, kSplit };
std::string_view to_text(TroubleKind kind);

struct Trouble {
    TroubleKind kind = TroubleKind::kNotFinite;
    std::string reason;  ///< one sentence
    /// The numbers it rests on, a JSON object's text; what is not finite is told in the reason.
    std::string evidence = "{}";
};

/// A slot that a rollback shut for good, with the seed that was in it.
struct LockedSlot {
    std::uint32_t slot = 0;
    std::string seed;
    std::string blueprint;

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("slot", self.slot);
        visit("seed", self.seed);
        visit("blueprint", self.blueprint);
    }
};

/// A split of a block that a rollback undid because the loss was higher with it.
struct TakenBackSplit {
    std::string block;
    std::int64_t step = 0;

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("block", self.block);
        visit("step", self.step);
    }
};

/// What outlives every rollback: it is taken over the checkpoint that a run goes back to, and is
/// part of the checkpoints written after it.
struct RollbackHistory {
    int rollbacks = 0;
    int spent = 0;              ///< of max_rollbacks; requests cost nothing
    double rate_factor = 1.0;   ///< on the learning rate of the schedule
    std::int64_t target = -1;   ///< step of the last checkpoint gone back to
    std::int64_t reached = -1;  ///< the furthest step at which there was trouble
    /// The trouble that halved the learning rate last: its kind, its step, and the sum of the
    /// epoch's losses before it. The same again shows that the lower rate has changed nothing.
    std::string trouble;
    std::int64_t trouble_step = -1;
    double losses_before = 0;
    std::vector<LockedSlot> locked;
    std::optional<std::vector<TakenBackSplit>> splits = {};  ///< absent where there were none

    int splits_taken_back() const { return splits ? static_cast<int>(splits->size()) : 0; }

    template <typename Self, typename Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit("rollbacks", self.rollbacks);
        visit("spent", self.spent);
        visit("rate_factor", self.rate_factor);
        visit("target", self.target);
        visit("reached", self.reached);
        visit("trouble_step", self.trouble_step);
        visit("trouble", self.trouble);
        visit("losses_before", self.losses_before);
        visit("locked", self.locked);
        visit("splits", self.splits);
    }
};

/// Whether the run may go back once more. Errors: kDiverged with the reason and what to do.
Status check_allowed(const configs::EsperConfig& config, const RollbackHistory& history,
                     const Trouble& trouble, std::int64_t step);
/// Refuses to go back once more to where the last rollback went, for trouble that has come again at
/// the very same step after the very same losses although the learning rate was halved.
/// Errors: kDiverged.
Status check_it_can_help(const configs::EsperConfig& config, const RollbackHistory& history,
                         const Trouble& trouble, std::int64_t step, double losses_before,
                         std::int64_t target);

/// Where to go back to: the newest regular checkpoint that is whole; for a request, which wants
/// something undone, one from before the present step. A run that comes into trouble again without
/// having got any further than the last time goes further back than then, as far as there is
/// something: the damage may be older than its signs. Errors: kDiverged when there is nothing to go
/// back to. For a split the one from before it, at `split_step`.
Result<CheckpointRing::Found> find_target(const CheckpointRing& ring,
                                          const RollbackHistory& history, const Trouble& trouble,
                                          std::int64_t step, std::int64_t split_step = 0);

/// The learning rate is halved where no seed can be blamed.
inline constexpr double kRateAfterRollback = 0.5;

}  // namespace esper::tolaria
