#include "esper/services/nissa/run_state.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "esper/services/records/fields.h"
#include "esper/services/records/run_lock.h"

namespace esper::nissa {

using nlohmann::json;

std::string_view to_text(RunState state) {
    switch (state) {
        case RunState::kRunning:
            return "running";
        case RunState::kStalled:
            return "stalled";
        case RunState::kKilled:
            return "killed";
        case RunState::kDone:
            return "done";
        case RunState::kStopped:
            return "stopped";
        case RunState::kFailed:
            return "failed";
        case RunState::kUnreadable:
            return "unreadable";
    }
    return "?";
}

RunState state_of(std::string_view status, const std::filesystem::path& folder,
                  std::int64_t silent_ns) {
    if (status == "done") return RunState::kDone;
    if (status == "stopped") return RunState::kStopped;
    if (status == "failed") return RunState::kFailed;
    if (records::RunLock::is_left_behind(folder)) return RunState::kKilled;
    return silent_ns > kStalledAfterNs ? RunState::kStalled : RunState::kRunning;
}

std::vector<Alert> alerts_of(RunState state, const json& run, bool loss_is_finite,
                             const std::filesystem::path& folder) {
    std::vector<Alert> alerts;
    const auto resume = "go on with 'esper resume " + folder.string() + "'";
    if (state == RunState::kKilled)
        alerts.push_back(
            {"killed", "the process that trained it has ended without a word; " + resume});
    if (state == RunState::kStalled)
        alerts.push_back({"stalled", fmt::format("has written nothing for more than {} minutes",
                                                 kStalledAfterNs / 60'000'000'000)});
    if (state == RunState::kFailed) alerts.push_back({"failed", "ended with an error; " + resume});
    if (!loss_is_finite)
        alerts.push_back({"not finite", fmt::format("the training loss is no finite number after "
                                                    "step {}",
                                                    records::integer_of(run, "steps"))});
    if (const auto rollbacks = records::integer_of(run, "rollbacks"); rollbacks > 0)
        alerts.push_back({"rollback", fmt::format("went back to a checkpoint {} time{}", rollbacks,
                                                  rollbacks == 1 ? "" : "s")});
    return alerts;
}

json to_json(const std::vector<Alert>& alerts) {
    json all = json::array();
    for (const auto& alert : alerts) all.push_back({{"kind", alert.kind}, {"text", alert.text}});
    return all;
}

}  // namespace esper::nissa
