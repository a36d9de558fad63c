#include "esper/cli/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "esper/base/text.h"
#include "esper/program/cost/cost.h"
#include "esper/services/tamiyo/life_steps.h"
#include "esper/services/tolaria/host/setup.h"

namespace esper::cli {

namespace {

using nlohmann::json;

Result<json> growth_plan(const configs::EsperConfig& config, const graph::ProgramPtr& host,
                         const tolaria::RunLength& length, std::uint32_t probe) {
    const auto& growth = config.growth;
    ESPER_TRY(const auto wrapped, tolaria::growth_places(growth, host));
    std::vector<std::string> slots;
    for (const auto& slot : wrapped.slots) slots.push_back(wrapped.anchor_of(slot).name);
    const auto steps =
        tamiyo::life_steps(growth, {config.run.seed, length.steps_per_epoch, length.total_steps});
    const auto at = [&](double share) {
        return static_cast<std::int64_t>(share * static_cast<double>(length.total_steps));
    };
    json plan{{"policy", contracts::to_text(config.controller.policy)},
              {"slots", slots},
              {"from_step", at(growth.start)},
              {"to_step", std::min(at(growth.stop), length.total_steps - steps.whole())},
              {"steps_of_a_seed", steps.whole()},
              {"probe_examples", probe},
              {"gate_examples", growth.gate.min_examples}};
    if (plan["to_step"] < plan["from_step"])
        plan["warning"] =
            "no seed can germinate: its life does not fit between growth.start and the end";
    else if (probe < growth.gate.min_examples)
        plan["warning"] =
            "no seed can be kept: the probe part is smaller than growth.gate.min_examples";
    return plan;
}

}  // namespace

Result<json> plan_of(const configs::EsperConfig& config) {
    ESPER_TRY(const auto data, tolaria::open_data(config));
    ESPER_TRY(const auto host, tolaria::make_host(config, data->info()));
    ESPER_TRY(const auto cost, graph::count_cost(*host));
    const auto length = tolaria::run_length(config, *data);
    json parts = json::object();
    for (const auto part : tolaria::kAllParts)
        parts[std::string(tolaria::to_text(part))] = data->size(part);
    json anchors = json::array();
    for (const auto& anchor : host->anchors()) anchors.push_back(anchor.name);
    const auto every = std::max<std::int64_t>(
        1, config.checkpoint.every.steps(length.steps_per_epoch, length.total_steps).value_or(0));
    const bool adamw = config.optimization.optimizer == configs::Optimizer::kAdamw;
    json plan{{"host", contracts::to_text(config.model.host)},
              {"program_sha256", host->hash().hex()},
              {"anchors", anchors},
              {"parameters", host->parameter_count()},
              {"flops_per_example", cost.forward_flops},
              {"training_flops_per_example", cost.training_flops},
              {"data", data->info().name},
              {"examples", parts},
              {"epochs", config.run.epochs},
              {"steps_per_epoch", length.steps_per_epoch},
              {"steps", length.total_steps},
              {"batch_size", config.data.batch_size},
              {"flops_total_without_growth", static_cast<double>(cost.training_flops) *
                                                 config.data.batch_size *
                                                 static_cast<double>(length.total_steps)},
              {"checkpoints",
               {{"every_steps", every},
                {"kept", config.checkpoint.keep},
                {"bytes_each", host->parameter_count() * 4 * (adamw ? 3 : 2)}}}};
    if (config.growth.enabled) {
        ESPER_TRY(plan["growth"],
                  growth_plan(config, host, length, data->size(tolaria::Part::kProbe)));
    }
    return plan;
}

std::string plan_in_words(const json& plan) {
    const auto count = [](const json& value) { return human_count(value.get<double>()); };
    const auto names = [](const json& list) {
        return join(list.get<std::vector<std::string>>(), ", ");
    };
    const auto& keep = plan["checkpoints"];
    const auto& parts = plan["examples"];
    auto out = fmt::format(
        "# The plan. Nothing was trained, nothing was written.\n"
        "# host         {}: {} parameters, {} FLOPs an example forward, {} in training\n"
        "# anchors      {}\n"
        "# data         {}: {} train, {} probe, {} validation, {} test examples\n"
        "# length       {} epochs of {} steps of {} examples; {} FLOPs without growth\n"
        "# checkpoints  about {} (every {} steps, besides each best), the last {} kept, {}B each\n",
        plan["host"].get<std::string>(), count(plan["parameters"]),
        count(plan["flops_per_example"]), count(plan["training_flops_per_example"]),
        names(plan["anchors"]), plan["data"].get<std::string>(), parts["train"].dump(),
        parts["probe"].dump(), parts["validation"].dump(), parts["test"].dump(),
        plan["epochs"].dump(), plan["steps_per_epoch"].dump(), plan["batch_size"].dump(),
        count(plan["flops_total_without_growth"]),
        plan["steps"].get<std::int64_t>() / keep["every_steps"].get<std::int64_t>(),
        keep["every_steps"].dump(), keep["kept"].dump(), count(keep["bytes_each"]));
    if (!plan.contains("growth")) return out + "# growth       off (growth.enabled)\n";
    const auto& growth = plan["growth"];
    out += fmt::format(
        "# growth       policy {}: seeds at {} anchors, germinating from step {} to {}; a seed's "
        "life takes {} steps\n"
        "# gates        decide after at least {} of {} probe examples\n",
        growth["policy"].get<std::string>(), growth["slots"].size(), growth["from_step"].dump(),
        growth["to_step"].dump(), growth["steps_of_a_seed"].dump(), growth["gate_examples"].dump(),
        growth["probe_examples"].dump());
    if (growth.contains("warning"))
        out += "# warning      " + growth["warning"].get<std::string>() + "\n";
    return out;
}

}  // namespace esper::cli
