#include "esper/services/tamiyo/decision.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace esper::tamiyo {
namespace {

nlohmann::json number(double value) {
    return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

}  // namespace

nlohmann::json to_json(const Decision& decision) {
    nlohmann::json evidence = nlohmann::json::object();
    for (const auto& [name, value] : decision.evidence) evidence[name] = number(value);
    nlohmann::json alternatives = nlohmann::json::array();
    for (const Alternative& other : decision.alternatives) {
        alternatives.push_back(
            {{"anchor", other.anchor},
             {"blueprint", other.blueprint},
             {"score", other.score ? number(*other.score) : nlohmann::json(nullptr)}});
    }
    return {{"command", contracts::to_text(decision.command)},
            {"slot", decision.slot},
            {"seed", decision.seed},
            {"anchor", decision.anchor},
            {"blueprint", decision.blueprint},
            {"reason", decision.reason},
            {"evidence", std::move(evidence)},
            {"alternatives", std::move(alternatives)}};
}

}  // namespace esper::tamiyo
