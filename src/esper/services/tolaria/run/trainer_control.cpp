// What a person asks of a run while it trains.

#include <nlohmann/json.hpp>

#include "esper/services/tolaria/run/trainer.h"

namespace esper::tolaria {

using records::ControlAction;

namespace {

bool changes_growth(ControlAction action) {
    return action == ControlAction::kPauseGrowth || action == ControlAction::kResumeGrowth;
}

}  // namespace

Status Trainer::heed_requests() {
    for (const auto& request : inbox_.take()) ESPER_CHECK_STATUS(carry_out(request));
    return {};
}

std::string Trainer::why_not(ControlAction action) const {
    if (!changes_growth(action)) return "";
    if (!growth_) return "growth.enabled is false";
    const bool wanted = action == ControlAction::kPauseGrowth;
    if (growth_->is_paused() == wanted)
        return wanted ? "growth is paused already" : "growth is not paused";
    return "";
}

// The event and what it changed are in the checkpoint that follows at once: a run that is killed
// later and resumed has not forgotten it.
Status Trainer::carry_out(const records::ControlRequest& request) {
    const auto reason = why_not(request.action);
    nlohmann::json detail{{"action", contracts::to_text(request.action)},
                          {"by", request.by},
                          {"at", iso8601(clock_.utc_ns())},
                          {"outcome", reason.empty() ? "done" : "refused"}};
    if (!reason.empty()) detail["reason"] = reason;
    if (reason.empty() && changes_growth(request.action))
        growth_->pause(request.action == ControlAction::kPauseGrowth);
    ESPER_CHECK_STATUS(folder_.event("control", now_.step, now_.epoch, std::move(detail)));
    if (!reason.empty()) return {};
    if (request.action == ControlAction::kRollback) {
        request_rollback();
        return {};
    }
    const bool stops = request.action == ControlAction::kStop;
    if (stops) request_stop();
    ESPER_CHECK_STATUS(save(stops ? CheckpointKind::kStopped : CheckpointKind::kRegular));
    return stops ? Status{} : write_run_json(RunStatus::kRunning);
}

}  // namespace esper::tolaria
