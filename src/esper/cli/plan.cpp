#include "esper/cli/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "esper/base/text.h"
#include "esper/program/cost/cost.h"
#include "esper/program/edits/blocks.h"
#include "esper/services/tamiyo/admission.h"
#include "esper/services/tamiyo/life_steps.h"
#include "esper/services/tolaria/grow/policy_choice.h"
#include "esper/services/tolaria/host/growing_images.h"
#include "esper/services/tolaria/host/setup.h"
#include "esper/services/tolaria/run/planned_cost.h"

namespace esper::cli {

namespace {

using nlohmann::json;

/// First and last end of an epoch at which the controller would let a seed germinate, as far as the
/// clock decides it.
struct Window {
    std::int64_t from = 0;
    std::int64_t to = 0;
    bool is_open = false;
    std::string why_shut;
};

Window germination_window(const configs::EsperConfig& config, const tolaria::RunLength& length,
                          const tamiyo::RunShape& shape) {
    const auto schedule = tolaria::schedule_of(config, length);
    const tamiyo::Admission admission(config.growth, shape);
    Window window;
    // Of a run of very many epochs some are looked at.
    constexpr std::int64_t kMostLooks = 100000;
    const auto epochs = length.total_steps / length.steps_per_epoch;
    const auto stride = length.steps_per_epoch * std::max<std::int64_t>(1, epochs / kMostLooks);
    for (std::int64_t step = length.steps_per_epoch; step <= length.total_steps; step += stride) {
        tamiyo::ControllerView view;
        view.step = step;
        view.total_steps = length.total_steps;
        view.growth_open =
            tolaria::may_grow(schedule, static_cast<std::uint64_t>(step), config.growth.stop);
        const auto room = admission.room(view);
        if (room.seeds == 0) {
            if (step >= admission.window_start() && window.why_shut.empty())
                window.why_shut = room.why_none;
            continue;
        }
        if (!window.is_open) window.from = step;
        window.to = step;
        window.is_open = true;
    }
    return window;
}

/// How a part of the data is walked in an epoch.
struct Pass {
    std::int64_t examples = 0;  ///< in the training part
    std::int64_t batch = 0;
    std::int64_t left_out = 0;  ///< of an epoch that is one pass
};

Pass pass_of(const configs::EsperConfig& config, const tolaria::Dataset& data) {
    Pass pass;
    pass.examples = tolaria::train_examples(config, data);
    pass.batch = tolaria::examples_a_step(config, data);
    if (config.run.steps_per_epoch == 0)
        pass.left_out =
            pass.examples - tolaria::run_length(config, data).steps_per_epoch * pass.batch;
    return pass;
}

/// Checkpoints of the ring: one before the first step, one every so often, one after the last step.
std::int64_t checkpoints_of(std::int64_t steps, std::int64_t every) {
    return 1 + (steps + every - 1) / every;
}

std::int64_t epochs_of(const tolaria::RunLength& length) {
    return (length.total_steps + length.steps_per_epoch - 1) / length.steps_per_epoch;
}

json budget_plan(const configs::EsperConfig& config, const tolaria::RunLength& length) {
    const auto course = tolaria::course_of(config, length);
    const auto& budget = course.budget();
    const auto both = [&](const configs::Budget& b) {
        return json{{"budget", b.to_string()},
                    {"cooldown_from", course.cooldown_begin(b)},
                    {"words", b.in_words()},
                    {"from_words", b.in_words(course.cooldown_begin(b))}};
    };
    auto plan = both(budget);
    plan["of"] = budget.of == configs::Budget::Of::kFlops ? "flops" : "seconds";
    plan["limit"] = budget.amount;
    plan["finish_at"] = json::array();
    for (const auto& smaller : tolaria::kept_budgets(budget, config.run.finish_at))
        plan["finish_at"].push_back(both(smaller));
    return plan;
}

std::string budget_in_words(const json& budget) {
    std::vector<std::string> smaller;
    for (const auto& one : budget["finish_at"]) smaller.push_back(one["words"]);
    return fmt::format(
        "# budget       {}, its cool-down from {} on; checkpoints to finish it at {}\n",
        budget["words"].get<std::string>(), budget["from_words"].get<std::string>(),
        join(smaller, ", "));
}

Result<json> resolution_plan(const configs::EsperConfig& config,
                             const std::shared_ptr<const tolaria::Dataset>& data,
                             const graph::Program& host) {
    ESPER_TRY(const auto images, tolaria::GrowingImages::make(config, data, host));
    ESPER_TRY(const auto costs, tolaria::size_costs(config, data->info(), host));
    json sizes = json::array();
    for (std::size_t i = 0; i < costs.size(); ++i)
        sizes.push_back({{"pixels", images->side(i)},
                         {"from", costs[i].from},
                         {"training_flops_per_example", costs[i].cost.training_flops}});
    return sizes;
}

std::string resolution_in_words(const json& sizes) {
    std::vector<std::string> each;
    for (const auto& size : sizes)
        each.push_back(fmt::format(
            "{} pixels{} ({} FLOPs in training)", size["pixels"].dump(),
            size["from"] == 0.0 ? ""
                                : fmt::format(" from {:g} % on", 100 * size["from"].get<double>()),
            human_count(size["training_flops_per_example"].get<double>())));
    return fmt::format("# images       {}\n", join(each, ", "));
}

/// `15 epochs of 50 steps of 32 examples`, or what a budget makes of that.
std::string length_in_words(const json& plan) {
    const auto epoch = fmt::format("{} steps of {} examples", plan["steps_per_epoch"].dump(),
                                   plan["batch_size"].dump());
    if (!plan.contains("budget"))
        return fmt::format("{} epochs of {}", plan["epochs"].dump(), epoch);
    if (plan["steps"].is_null()) return "until the time is over, in epochs of " + epoch;
    return fmt::format("{} steps if nothing grows, in epochs of {}", plan["steps"].dump(), epoch);
}

Result<json> clock_plan(const configs::EsperConfig& config, const graph::ProgramPtr& host) {
    const auto& clock = config.controller.clock;
    std::vector<std::string> names;
    ESPER_TRY(const auto blocks, graph::find_blocks(*host));
    for (const auto& block : blocks) names.push_back(block.name);
    json plan{{"policy", "clock"},
              {"blocks", names},
              {"ratio", clock.ratio},
              {"final_ratio", clock.final_ratio}};
    if (names.empty()) plan["warning"] = "no block of this host can be split";
    return plan;
}

std::string clock_in_words(const json& growth) {
    return fmt::format(
        "# growth       policy clock: splits the last of {} blocks at {} examples a parameter, if "
        "there will be {} in the end\n",
        growth["blocks"].size(), growth["ratio"].dump(), growth["final_ratio"].dump());
}

Result<json> growth_plan(const configs::EsperConfig& config, const graph::ProgramPtr& host,
                         const tolaria::RunLength& length, std::uint32_t probe) {
    const auto& growth = config.growth;
    ESPER_TRY(const auto policy, tolaria::choose_policy(config, host));
    if (policy == configs::Policy::kClock) return clock_plan(config, host);
    ESPER_TRY(const auto wrapped, tolaria::growth_places(growth, host));
    std::vector<std::string> slots;
    for (const auto& slot : wrapped.slots) slots.push_back(wrapped.anchor_of(slot).name);
    const tamiyo::RunShape shape{config.run.seed, length.steps_per_epoch, length.total_steps};
    const auto steps = tamiyo::life_steps(growth, shape);
    const auto window = germination_window(config, length, shape);
    json plan{{"policy", contracts::to_text(policy)},
              {"slots", slots},
              {"steps_of_a_seed", steps.whole()},
              {"probe_examples", probe},
              {"gate_examples", growth.gate.min_examples}};
    // By the clock the steps are not known beforehand.
    const bool by_clock = length.total_steps == 0;
    if (window.is_open) {
        plan["from_step"] = window.from;
        plan["to_step"] = window.to;
    }
    if (!window.is_open && !by_clock)
        plan["warning"] = "no seed can germinate: " + window.why_shut;
    else if (probe < growth.gate.min_examples)
        plan["warning"] =
            "no seed can be kept: the probe part is smaller than growth.gate.min_examples";
    return plan;
}

}  // namespace

Result<json> plan_of(const configs::EsperConfig& config) {
    ESPER_TRY(const auto data, tolaria::open_data(config));
    ESPER_CHECK_STATUS(tolaria::check_batch_size(config, *data));
    ESPER_TRY(const auto host, tolaria::make_host(config, data->info()));
    json resolution;
    if (!config.data.resolution.empty()) {
        ESPER_TRY(resolution, resolution_plan(config, data, *host));
    }
    ESPER_TRY(const auto cost, graph::count_cost(*host));
    ESPER_TRY(const auto planned, tolaria::planned_cost(config, *data, host));
    ESPER_TRY(const auto length, tolaria::planned_length(config, *data, host));
    const bool steps_known = length.total_steps > 0;
    json parts = json::object();
    for (const auto part : tolaria::kAllParts)
        parts[std::string(tolaria::to_text(part))] = data->size(part);
    const Pass pass = pass_of(config, *data);
    parts["train"] = pass.examples;
    json anchors = json::array();
    for (const auto& anchor : host->anchors()) anchors.push_back(anchor.name);
    const auto every = config.checkpoint.every.steps(length.steps_per_epoch, length.total_steps);
    json keep{{"every", config.checkpoint.every.to_string()}, {"kept", config.checkpoint.keep}};
    if (every) {
        keep["every_steps"] = std::max<std::int64_t>(1, *every);
        if (steps_known) keep["count"] = checkpoints_of(length.total_steps, keep["every_steps"]);
    }
    const auto& o = config.optimization;
    const bool two_moments =
        o.optimizer == configs::Optimizer::kAdamw || o.optimizer == configs::Optimizer::kMuon;
    keep["bytes_each"] =
        host->parameter_count() * 4 * ((two_moments ? 3 : 2) + (o.ema > 0 ? 1 : 0));
    json plan{{"host", host->name()},
              {"program_sha256", host->hash().hex()},
              {"anchors", anchors},
              {"parameters", host->parameter_count()},
              {"flops_per_example", cost.forward_flops},
              {"training_flops_per_example", cost.training_flops},
              {"data", data->info().name},
              {"examples", parts},
              {"epochs", steps_known ? json(epochs_of(length)) : json()},
              {"steps_per_epoch", length.steps_per_epoch},
              {"steps", steps_known ? json(length.total_steps) : json()},
              {"batch_size", pass.batch},
              {"left_out_of_an_epoch", pass.left_out},
              {"flops_total_without_growth", steps_known ? json(planned.total()) : json()},
              {"checkpoints", keep}};
    if (!config.model.path.empty()) plan["path"] = config.model.path;
    if (!resolution.empty()) plan["resolution"] = resolution;
    if (!config.run.budget.empty()) plan["budget"] = budget_plan(config, length);
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
    const auto left_out = plan["left_out_of_an_epoch"].get<std::int64_t>();
    auto out = fmt::format(
        "# The plan. Nothing was trained, nothing was written.\n"
        "# host         {}{}: {} parameters, {} FLOPs an example forward, {} in training\n"
        "# anchors      {}\n"
        "# data         {}: {} train, {} probe, {} validation, {} test examples\n"
        "{}"
        "# length       {}{}\n"
        "{}"
        "# cost         {}\n"
        "# checkpoints  {}, the last {} kept besides the best, {}B each\n",
        plan["host"].get<std::string>(),
        plan.contains("path") ? " from " + plan["path"].get<std::string>() : std::string(),
        count(plan["parameters"]), count(plan["flops_per_example"]),
        count(plan["training_flops_per_example"]), names(plan["anchors"]),
        plan["data"].get<std::string>(), parts["train"].dump(), parts["probe"].dump(),
        parts["validation"].dump(), parts["test"].dump(),
        plan.contains("resolution") ? resolution_in_words(plan["resolution"]) : std::string(),
        length_in_words(plan),
        left_out == 0
            ? std::string()
            : fmt::format("; the last {} of each pass are left out, others each time", left_out),
        plan.contains("budget") ? budget_in_words(plan["budget"]) : std::string(),
        plan["flops_total_without_growth"].is_null()
            ? std::string("as many FLOPs as the machine makes in that time")
            : count(plan["flops_total_without_growth"]) +
                  " FLOPs without growth: training, validation after each epoch, one test",
        keep.contains("count") ? fmt::format("about {}, every {} steps", keep["count"].dump(),
                                             keep["every_steps"].dump())
                               : fmt::format("every {}", keep["every"].get<std::string>()),
        keep["kept"].dump(), count(keep["bytes_each"]));
    if (plan.contains("warning"))
        out += "# warning      " + plan["warning"].get<std::string>() + "\n";
    if (!plan.contains("growth")) return out + "# growth       off (growth.enabled)\n";
    const auto& growth = plan["growth"];
    if (growth["policy"] == "clock")
        return out + clock_in_words(growth) +
               (growth.contains("warning")
                    ? "# warning      " + growth["warning"].get<std::string>() + "\n"
                    : std::string());
    out += fmt::format(
        "# growth       policy {}: {} places for seeds, {}; a seed's life takes {} steps\n"
        "# gates        decide after at least {} of {} probe examples\n",
        growth["policy"].get<std::string>(), growth["slots"].size(),
        growth.contains("from_step")
            ? fmt::format("germinating at the end of an epoch, from step {} to {}",
                          growth["from_step"].dump(), growth["to_step"].dump())
            : std::string(plan["steps"].is_null() ? "germinating as the time goes"
                                                  : "none of which can germinate"),
        growth["steps_of_a_seed"].dump(), growth["gate_examples"].dump(),
        growth["probe_examples"].dump());
    if (growth.contains("warning"))
        out += "# warning      " + growth["warning"].get<std::string>() + "\n";
    return out;
}

}  // namespace esper::cli
