#include "esper/services/tolaria/grow/rollback.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace esper::tolaria {

std::string_view to_text(TroubleKind kind) {
    switch (kind) {
        case TroubleKind::kNotFinite:
            return "not_finite";
        case TroubleKind::kSpike:
            return "spike";
        case TroubleKind::kRequest:
            return "request";
    }
    return "?";
}

nlohmann::json to_json(const RollbackHistory& history) {
    nlohmann::json locked = nlohmann::json::array();
    for (const auto& lock : history.locked)
        locked.push_back({{"slot", lock.slot}, {"seed", lock.seed}, {"blueprint", lock.blueprint}});
    return {{"rollbacks", history.rollbacks},     {"spent", history.spent},
            {"rate_factor", history.rate_factor}, {"target", history.target},
            {"reached", history.reached},         {"locked", locked}};
}

RollbackHistory history_from_json(const nlohmann::json& json) {
    RollbackHistory history{json.at("rollbacks"), json.at("spent"),   json.at("rate_factor"),
                            json.at("target"),    json.at("reached"), {}};
    for (const auto& lock : json.at("locked"))
        history.locked.push_back({lock.at("slot"), lock.at("seed"), lock.at("blueprint")});
    return history;
}

Status check_allowed(const configs::RollbackConfig& config, const RollbackHistory& history,
                     const Trouble& trouble, std::int64_t step) {
    if (trouble.kind == TroubleKind::kRequest) return {};
    const auto diverged = [&](const std::string& why) {
        return fail(TolariaError::kDiverged,
                    fmt::format("at step {}: {}; {}. Lower optimization.learning_rate or set "
                                "optimization.clip_norm",
                                step, trouble.reason, why));
    };
    if (!config.enabled) return diverged("checkpoint.rollback.enabled is false");
    if (history.spent >= config.max_rollbacks)
        return diverged(
            fmt::format("the run has gone back {} times already, which is all that "
                        "checkpoint.rollback.max_rollbacks allows",
                        history.spent));
    return {};
}

Result<CheckpointRing::Found> find_target(const CheckpointRing& ring,
                                          const RollbackHistory& history, const Trouble& trouble,
                                          std::int64_t step) {
    const bool request = trouble.kind == TroubleKind::kRequest;
    auto found = ring.newest_until(request ? step - 1 : step);
    if (!found)
        return fail(TolariaError::kDiverged,
                    fmt::format("at step {}: {}; there is no checkpoint to go back to ({})", step,
                                trouble.reason, found.error().message()));
    if (request || step > history.reached || found->step < history.target) return found;
    if (auto older = ring.newest_until(history.target - 1)) return older;
    return found;
}

}  // namespace esper::tolaria
