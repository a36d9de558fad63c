#include "esper/services/serving/health.h"

#include "esper/version.h"

namespace esper::serving {

void add_health(Router& router, const std::string& role,
                std::function<std::vector<std::string>()> waits_for, const nlohmann::json& about) {
    nlohmann::json up{{"role", role}, {"status", "up"}, {"version", ESPER_VERSION}};
    up.update(about);
    router.add("GET", "/health", [up](const Request&) { return json_content(up); });
    router.add("GET", "/ready", [role, waits_for = std::move(waits_for)](const Request&) {
        const auto missing = waits_for();
        return json_content({{"role", role},
                             {"status", missing.empty() ? "ready" : "waiting"},
                             {"waits_for", missing}},
                            missing.empty() ? 200 : 503);
    });
}

}  // namespace esper::serving
