#include "esper/execution/kasmina/saved_kasmina.h"

namespace esper::execution {

namespace {

void upgrade_from_1(saved::Json& json) {
    if (!json.is_object()) return;
    json["version"] = SavedKasmina::kVersion;
    const auto slots = json.find("slots");
    if (slots == json.end() || !slots->is_array()) return;
    for (auto& slot : *slots) {
        if (!slot.is_object() || !slot.contains("ramp") || !slot.contains("ramp_loss")) continue;
        auto& ramp = slot["ramp"];
        const auto& loss = slot["ramp_loss"];
        if (!ramp.is_array() || !loss.is_array()) continue;
        ramp.insert(ramp.end(), loss.begin(), loss.end());
        saved::name_members(ramp, {"steps", "done", "seen", "mean", "variance"});
    }
}

}  // namespace

Result<SavedKasmina> read_saved_kasmina(saved::Json json) {
    const auto version = saved::version_of(json);
    if (version == 1) upgrade_from_1(json);
    if (version < 1 || version > SavedKasmina::kVersion)
        return fail(StateError::kUnsupportedVersion,
                    "the seeds' saved state is of version " + std::to_string(version) +
                        ", this build reads 1 to " + std::to_string(SavedKasmina::kVersion));
    SavedKasmina state;
    if (const auto problem = saved::read(json, state); !problem.empty())
        return fail(StateError::kBadSnapshot, "the seeds' saved state: " + problem);
    return state;
}

}  // namespace esper::execution
