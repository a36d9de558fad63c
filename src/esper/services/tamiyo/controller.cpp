#include "esper/services/tamiyo/controller.h"

#include <nlohmann/json.hpp>

#include "esper/services/tamiyo/state_json.h"

namespace esper::tamiyo {

Controller::Controller(const configs::GrowthConfig& growth,
                       const configs::ControllerConfig& controller, const RunShape& run)
    : lifecycle_(growth, run), policy_(make_policy(growth, controller, run)) {}

std::vector<LookRequest> Controller::looks_due(const ControllerView& view) const {
    return lifecycle_.looks_due(view);
}

std::vector<std::size_t> Controller::nominees(const ControllerView& view) const {
    return policy_->nominees(view);
}

std::vector<Decision> Controller::decide(const ControllerView& view) {
    std::vector<Decision> decisions = lifecycle_.decide(view);
    for (Decision& germination : policy_->decide(view)) {
        germination.evidence["ordinal"] =
            static_cast<double>(lifecycle_.germinated(germination.slot));
        decisions.push_back(std::move(germination));
    }
    return decisions;
}

nlohmann::json Controller::save() const {
    return {{"lifecycle", lifecycle_.save()}, {"policy", policy_->save()}};
}

Status Controller::restore(const nlohmann::json& state) {
    Lifecycle lifecycle = lifecycle_;
    Status parts;
    ESPER_CHECK_STATUS(restore_guarded("the controller", [&] {
        const auto& policy = state.at("policy");
        parts = lifecycle.restore(state.at("lifecycle"));
        if (parts) parts = policy_->restore(policy);
    }));
    if (parts) lifecycle_ = std::move(lifecycle);
    return parts;
}

}  // namespace esper::tamiyo
