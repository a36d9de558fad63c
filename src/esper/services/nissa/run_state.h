#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace esper::nissa {

/// What a run is doing. run.json says `running` also of one that was killed or hangs.
enum class RunState {
    kRunning,
    kStalled,  ///< says that it runs, but has written nothing for long
    kKilled,   ///< says that it runs, but its process is not there
    kDone,
    kStopped,
    kFailed,
    kUnreadable,
};
constexpr RunState kAllStates[] = {RunState::kRunning,   RunState::kStalled, RunState::kKilled,
                                   RunState::kDone,      RunState::kStopped, RunState::kFailed,
                                   RunState::kUnreadable};
std::string_view to_text(RunState state);
/// Whether only what is written to its files can change it.
constexpr bool is_final(RunState state) {
    return state != RunState::kRunning && state != RunState::kStalled && state != RunState::kKilled;
}

constexpr std::int64_t kStalledAfterNs = std::int64_t{600} * 1'000'000'000;

/// From the status in run.json, the run's lock file (which is read and never locked: a lock held
/// for a moment would turn a trainer away) and the time since its last write.
RunState state_of(std::string_view status, const std::filesystem::path& folder,
                  std::int64_t silent_ns);

struct Alert {
    std::string kind;  ///< of an AlertRule
    std::string text;  ///< what happened, and what to do
};

nlohmann::json to_json(const std::vector<Alert>& alerts);

}  // namespace esper::nissa
