#include "esper/services/nissa/run_state.h"

#include <nlohmann/json.hpp>

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

json to_json(const std::vector<Alert>& alerts) {
    json all = json::array();
    for (const auto& alert : alerts) all.push_back({{"kind", alert.kind}, {"text", alert.text}});
    return all;
}

}  // namespace esper::nissa
