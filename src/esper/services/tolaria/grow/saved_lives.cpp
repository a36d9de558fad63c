#include "esper/services/tolaria/grow/saved_lives.h"

namespace esper::tolaria {

namespace {

using saved::Json;

void name_each(Json& list, const std::vector<std::string>& names) {
    if (!list.is_array()) return;
    for (auto& item : list) saved::name_members(item, names);
}

void move_key(Json& from, const char* old_key, Json& to, const char* new_key) {
    if (!from.is_object() || !from.contains(old_key)) return;
    to[new_key] = std::move(from[old_key]);
    from.erase(old_key);
}

void upgrade_from_1(Json& growth) {
    Json lives = Json::object();
    move_key(growth, "kasmina", lives, "kasmina");
    move_key(growth, "controller", lives, "controller");
    move_key(growth, "added", lives, "seeds");
    move_key(growth, "counts", lives, "ends");
    name_each(lives["seeds"], {"slot", "flops", "parameters", "sham"});
    saved::name_members(lives["ends"],
                        {"germinated", "fossilized", "culled", "cancelled", "rolled_back"});
    lives["excluded"] = Json::array();
    if (auto faults = growth.find("faults"); faults != growth.end()) {
        auto taken = std::move(*faults);
        growth.erase("faults");
        move_key(taken, "evicted", lives, "excluded");
        move_key(taken, "activity", growth, "activity");
        name_each(lives["excluded"], {"slot", "blueprint"});
        name_each(growth["activity"], {"slot", "seed", "blueprint", "first", "last"});
    }
    if (growth.contains("health"))
        name_each(growth["health"], {"samples", "variance", "dead", "gradients", "gradient_norm"});
    growth["lives"] = std::move(lives);
    growth["version"] = kGrowthVersion;
}

}  // namespace

Result<Json> upgrade_growth(Json growth) {
    const auto version = saved::version_of(growth);
    if (version < 1 || version > kGrowthVersion)
        return fail(TolariaError::kBadCheckpoint,
                    "the saved growth is of version " + std::to_string(version) +
                        ", this build reads 1 to " + std::to_string(kGrowthVersion));
    if (version == 1 && growth.is_object()) upgrade_from_1(growth);
    return growth;
}

}  // namespace esper::tolaria
