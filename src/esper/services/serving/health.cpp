#include "esper/services/serving/health.h"

#include <nlohmann/json.hpp>

#include "esper/version.h"

namespace esper::serving {

void add_health(Router& router, const std::string& role,
                std::function<std::vector<std::string>()> waits_for) {
    router.add("GET", "/health", [role](const Request&) {
        return json_content({{"role", role}, {"status", "up"}, {"version", ESPER_VERSION}});
    });
    router.add("GET", "/ready", [role, waits_for = std::move(waits_for)](const Request&) {
        const auto missing = waits_for();
        return json_content({{"role", role},
                             {"status", missing.empty() ? "ready" : "waiting"},
                             {"waits_for", missing}},
                            missing.empty() ? 200 : 503);
    });
}

}  // namespace esper::serving
