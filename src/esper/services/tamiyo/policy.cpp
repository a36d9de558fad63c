#include "esper/services/tamiyo/policy.h"

#include <nlohmann/json.hpp>

#include "esper/services/tamiyo/growing_policy.h"
#include "esper/services/tamiyo/state_json.h"

namespace esper::tamiyo {
namespace {

Status restore_name(const nlohmann::json& state, std::string_view name) {
    return restore_guarded("the policy", [&] {
        if (state.at("policy") != name)
            throw nlohmann::json::other_error::create(599, "it is of another policy", nullptr);
    });
}

/// Germinates nothing; for comparison.
class NeverPolicy final : public Policy {
  public:
    std::string_view name() const override { return "never"; }
    std::vector<std::size_t> nominees(const ControllerView&) const override { return {}; }
    std::vector<Decision> decide(const ControllerView&) override { return {}; }
    std::string waiting_for() const override { return "controller.policy is never"; }
    nlohmann::json save() const override { return {{"policy", name()}}; }
    Status restore(const nlohmann::json& state) override { return restore_name(state, name()); }
};

/// Germinates nothing: blocks are split when ask_clock() says so.
class ClockPolicy final : public Policy {
  public:
    std::string_view name() const override { return "clock"; }
    std::vector<std::size_t> nominees(const ControllerView&) const override { return {}; }
    std::vector<Decision> decide(const ControllerView&) override { return {}; }
    std::string waiting_for() const override {
        return "controller.policy is clock: it splits blocks of hosts that Esper runs, and no seed "
               "germinates";
    }
    nlohmann::json save() const override { return {{"policy", name()}}; }
    Status restore(const nlohmann::json& state) override { return restore_name(state, name()); }
};

}  // namespace

std::unique_ptr<Policy> make_policy(const configs::GrowthConfig& growth,
                                    const configs::ControllerConfig& controller,
                                    const RunShape& run) {
    switch (controller.policy) {
        case configs::Policy::kAuto:
        case configs::Policy::kHeuristic:
            return make_heuristic_policy(growth, controller, run);
        case configs::Policy::kPeriodic:
            return make_periodic_policy(growth, controller, run);
        case configs::Policy::kPlateau:
            return make_plateau_policy(growth, controller, run);
        case configs::Policy::kRandom:
            return make_random_policy(growth, controller, run);
        case configs::Policy::kClock:
            return std::make_unique<ClockPolicy>();
        case configs::Policy::kNever:
            break;
    }
    return std::make_unique<NeverPolicy>();
}

}  // namespace esper::tamiyo
