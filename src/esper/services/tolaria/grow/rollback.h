#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "esper/configs/checkpoint.h"
#include "esper/services/tolaria/learn/checkpoint.h"

namespace esper::tolaria {

/// Why a run goes back.
enum class TroubleKind { kNotFinite, kSpike, kRequest };
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
};

/// What outlives every rollback: it is taken over the checkpoint that a run goes back to, and is
/// part of the checkpoints written after it.
struct RollbackHistory {
    int rollbacks = 0;
    int spent = 0;              ///< of max_rollbacks; requests cost nothing
    double rate_factor = 1.0;   ///< on the learning rate of the schedule
    std::int64_t target = -1;   ///< step of the last checkpoint gone back to
    std::int64_t reached = -1;  ///< the furthest step at which there was trouble
    std::vector<LockedSlot> locked;
};
nlohmann::json to_json(const RollbackHistory& history);
RollbackHistory history_from_json(const nlohmann::json& json);

/// Whether the run may go back once more. Errors: kDiverged with the reason and what to do.
Status check_allowed(const configs::RollbackConfig& config, const RollbackHistory& history,
                     const Trouble& trouble, std::int64_t step);

/// Where to go back to: the newest regular checkpoint that is whole; for a request, which wants
/// something undone, one from before the present step. A run that comes into trouble again without
/// having got any further than the last time goes further back than then, as far as there is
/// something: the damage may be older than its signs. Errors: kDiverged when there is nothing to go
/// back to.
Result<CheckpointRing::Found> find_target(const CheckpointRing& ring,
                                          const RollbackHistory& history, const Trouble& trouble,
                                          std::int64_t step);

/// The learning rate is halved where no seed can be blamed.
inline constexpr double kRateAfterRollback = 0.5;

}  // namespace esper::tolaria
