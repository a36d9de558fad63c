#include "esper/services/tolaria/grow/foreign_growth.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/services/tolaria/grow/gate_looks.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

namespace {

std::vector<std::optional<double>> where_measured(const std::vector<double>& values) {
    std::vector<std::optional<double>> seen;
    for (double v : values) seen.push_back(std::isfinite(v) ? std::optional(v) : std::nullopt);
    return seen;
}

}  // namespace

Result<std::unique_ptr<ForeignGrowth>> ForeignGrowth::create(const Context& context,
                                                             const graph::ProgramPtr& host) {
    std::unique_ptr<ForeignGrowth> growth(new ForeignGrowth(context));
    ESPER_CHECK_STATUS(growth->find_slots(host, context.store));
    return growth;
}

Result<HostCost> ForeignGrowth::cost(const graph::Program& program) {
    return context_.runner.cost(program);
}

// The learning rate is the caller's affair, so only growth.stop closes the window.
bool ForeignGrowth::may_grow_at(std::int64_t step) const {
    return static_cast<double>(step) <=
           context_.config.growth.stop * static_cast<double>(context_.length.total_steps);
}

Status ForeignGrowth::event(const std::string& kind, std::int64_t step, nlohmann::json detail) {
    return context_.event(kind, step, epoch_of(step), std::move(detail));
}

// Per-example loss without the seed minus loss with it, same weights, in the run's probe order.
Result<GateLooks> ForeignGrowth::look(const tamiyo::LookRequest& request, std::int64_t) {
    const auto& slot = kasmina_->slots()[request.slot];
    const auto alpha = "alpha." + slot.seed;
    ESPER_TRY(const auto blended, blended_for(request, context_.store));
    ESPER_CHECK_STATUS(context_.store.set_control(alpha, 0));
    ESPER_TRY(auto without, context_.runner.probe_losses(blended));
    ESPER_CHECK_STATUS(context_.store.set_control(alpha, 1));
    ESPER_TRY(auto with, context_.runner.probe_losses(blended));
    if (request.stage == tamiyo::GateStage::kBeforeGraft) context_.store.remove_control(alpha);
    if (without.size() != with.size())
        return fail(TolariaError::kUnsupported,
                    "the probe set had " + std::to_string(without.size()) +
                        " examples without the seed and " + std::to_string(with.size()) +
                        " with it; it must be the same ones each time");
    const auto order =
        tamiyo::probe_order(context_.config.run.seed, static_cast<std::uint32_t>(with.size()));
    GateLooks looks;
    looks.gate = tamiyo::look(differences(without, with, order), request.spec);
    if (request.fork)
        looks.fork_detail = {{"measured", false},
                             {"why", "the host is trained outside Esper, which keeps no fork"}};
    return looks;
}

Status ForeignGrowth::plant(const tamiyo::Decision& decision,
                            const blueprints::Blueprint& blueprint, std::int64_t step) {
    const auto seed = kasmina_->next_seed();
    ESPER_CHECK_STATUS(germinate(decision, blueprint, step));
    set_first_values(seed, blueprint);
    return {};
}

void ForeignGrowth::set_first_values(const std::string& seed,
                                     const blueprints::Blueprint& blueprint) {
    if (context_.config.growth.readout != configs::Readout::kZero) return;
    for (const auto& name : {blueprint.readout_weight, blueprint.readout_bias}) {
        auto* parameter =
            name.empty() ? nullptr : context_.store.find_parameter("seed." + seed + "." + name);
        if (parameter == nullptr) continue;
        auto value = parameter->value;
        value.zero_();
    }
}

Status ForeignGrowth::statistics_shifted(std::int64_t) { return context_.runner.settle(program()); }

Status ForeignGrowth::at_boundary(std::int64_t step, const Losses& losses) {
    return decide(step, where_measured(losses.train), where_measured(losses.validation));
}

Status ForeignGrowth::take_out(const std::string& seed, const std::string& reason,
                               std::int64_t step) {
    for (const auto& slot : kasmina_->slots()) {
        if (slot.seed != seed || seed.empty()) continue;
        ESPER_CHECK_STATUS(event(
            "fault", step, {{"seed", slot.seed}, {"anchor", slot.anchor}, {"reason", reason}}));
        ++counts_.culled;
        return kasmina_->fault(slot.index,
                               static_cast<std::uint32_t>(context_.config.growth.embargo.value),
                               step, epoch_of(step), reason);
    }
    return {};
}

nlohmann::json ForeignGrowth::save() const { return save_lives(); }

Status ForeignGrowth::restore(const nlohmann::json& state, graph::ProgramPtr program) {
    return restore_lives(state, std::move(program));
}

}  // namespace esper::tolaria
