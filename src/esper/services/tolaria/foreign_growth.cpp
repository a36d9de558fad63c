#include "esper/services/tolaria/foreign_growth.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/base/text.h"
#include "esper/core/model_wrapper.h"
#include "esper/graph/shapes.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

using contracts::AdaptationCommand;
using execution::SeedState;

namespace {

bool matches(const std::vector<std::string>& patterns, const std::string& name) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const auto& p) { return glob_match(p, name); });
}

std::vector<std::optional<double>> where_measured(const std::vector<double>& values) {
    std::vector<std::optional<double>> seen;
    for (double v : values) seen.push_back(std::isfinite(v) ? std::optional(v) : std::nullopt);
    return seen;
}

}  // namespace

Result<std::unique_ptr<ForeignGrowth>> ForeignGrowth::create(const Context& context,
                                                             const graph::ProgramPtr& host) {
    std::unique_ptr<ForeignGrowth> growth(new ForeignGrowth(context));
    const auto& config = context.config;
    core::WrapOptions places;
    places.anchors = config.growth.anchors;
    places.seeds_per_anchor = static_cast<std::uint32_t>(config.growth.seeds_per_anchor);
    auto wrapped = core::wrap(host, places);
    if (!wrapped)
        return fail(TolariaError::kUnsupported, "growth.anchors, growth.seeds_per_anchor: " +
                                                    std::string(wrapped.error().message()));
    std::vector<std::string> anchors;
    for (const auto& slot : wrapped->slots) {
        anchors.push_back(wrapped->anchor_of(slot).name);
        growth->chunks_.push_back({slot.first_feature, slot.first_feature + slot.features});
    }
    ESPER_TRY(const auto cost, context.runner.cost(*host));
    growth->host_flops_ = cost.forward_flops;
    growth->kasmina_ =
        std::make_unique<execution::KasminaLayer>(host, std::move(anchors), context.store);
    growth->controller_ = std::make_unique<tamiyo::Controller>(
        config.growth, config.controller,
        tamiyo::RunShape{config.run.seed, context.length.steps_per_epoch,
                         context.length.total_steps, config.telemetry.health_ema});
    return growth;
}

Result<blueprints::Blueprint> ForeignGrowth::blueprint_for(std::uint32_t slot,
                                                           const std::string& name) {
    const auto* anchor = program()->find_anchor(kasmina_->slots()[slot].anchor);
    ESPER_TRY(auto types, graph::infer_types(*program()));
    auto type = types[anchor->value.value()];
    if (!type.shape.empty()) type.shape[0] = -1;
    return blueprints::make_blueprint(name, *anchor, type, chunks_[slot]);
}

Status ForeignGrowth::add_candidates(tamiyo::ControllerView& view) {
    const auto& growth = context_.config.growth;
    ESPER_TRY(const auto now, context_.runner.cost(*program()));
    for (const auto& slot : kasmina_->slots()) {
        if (kasmina_->state(slot.index) != SeedState::kDormant) continue;
        const auto* anchor = program()->find_anchor(slot.anchor);
        for (const auto& name : blueprints::blueprint_names(anchor->kind, growth.sham)) {
            if (!growth.blueprints.empty() && !matches(growth.blueprints, name) &&
                !(growth.sham && name.starts_with("sham")))
                continue;
            ESPER_TRY(auto blueprint, blueprint_for(slot.index, name));
            ESPER_TRY(auto grown,
                      graph::apply(*program(), graph::InsertSeed{kasmina_->next_seed(), slot.anchor,
                                                                 name, blueprint.program}));
            ESPER_TRY(const auto then, context_.runner.cost(*grown));
            tamiyo::Candidate candidate;
            candidate.slot = slot.index;
            candidate.blueprint = name;
            candidate.relative_flops = (then.forward_flops - now.forward_flops) / now.forward_flops;
            candidate.relative_parameters = (then.parameters - now.parameters) / now.parameters;
            candidate.sham = blueprint.sham;
            view.candidates.push_back(std::move(candidate));
        }
    }
    return {};
}

Result<tamiyo::ControllerView> ForeignGrowth::view(std::int64_t step, const Losses& losses) {
    tamiyo::ControllerView view;
    view.step = step;
    view.epoch = step / context_.length.steps_per_epoch;
    view.total_steps = context_.length.total_steps;
    view.train_loss = where_measured(losses.train);
    view.validation_loss = where_measured(losses.validation);
    for (const auto& slot : kasmina_->slots()) {
        tamiyo::SlotView s;
        s.index = slot.index;
        s.seed = slot.seed;
        s.anchor = slot.anchor;
        s.state = kasmina_->state(slot.index);
        s.steps_in_state = step - slot.entered_step;
        s.blueprint = slot.blueprint;
        s.ramp_complete = slot.ramp.is_complete();
        if (auto it = added_.find(slot.index); it != added_.end()) {
            s.relative_flops = it->second.flops;
            s.relative_parameters = it->second.parameters;
        }
        if (auto it = sham_.find(slot.index); it != sham_.end()) s.sham = it->second;
        view.slots.push_back(std::move(s));
    }
    ESPER_TRY(const auto cost, context_.runner.cost(*program()));
    view.flops_ratio = cost.forward_flops / host_flops_;
    // The learning rate is the caller's affair, so only growth.stop closes the window.
    view.growth_open = static_cast<double>(step) <=
                       context_.config.growth.stop * static_cast<double>(view.total_steps);
    ESPER_CHECK_STATUS(add_candidates(view));
    return view;
}

// Per-example loss without the seed minus loss with it, same weights, in the run's probe order.
Result<tamiyo::GateResult> ForeignGrowth::look(const tamiyo::LookRequest& request) {
    const auto& slot = kasmina_->slots()[request.slot];
    const auto alpha = "alpha." + slot.seed;
    auto blended = program();
    const bool isolated = request.stage == tamiyo::GateStage::kBeforeGraft;
    if (isolated) {
        ESPER_TRY(blended, graph::apply(*program(),
                                        graph::SetSeedMode{slot.seed, graph::SeedMode::kBlended}));
        ESPER_CHECK_STATUS(context_.store.add(*blended, "seed." + slot.seed));
    }
    ESPER_CHECK_STATUS(context_.store.set_control(alpha, 0));
    ESPER_TRY(auto without, context_.runner.probe_losses(blended));
    ESPER_CHECK_STATUS(context_.store.set_control(alpha, 1));
    ESPER_TRY(auto with, context_.runner.probe_losses(blended));
    if (isolated) context_.store.remove_control(alpha);
    if (without.size() != with.size())
        return fail(TolariaError::kUnsupported,
                    "the probe set had " + std::to_string(without.size()) +
                        " examples without the seed and " + std::to_string(with.size()) +
                        " with it; it must be the same ones each time");
    std::vector<float> differences;
    for (auto i :
         tamiyo::probe_order(context_.config.run.seed, static_cast<std::uint32_t>(with.size())))
        differences.push_back(without[i] - with[i]);
    return tamiyo::look(differences, request.spec);
}

Status ForeignGrowth::at_boundary(std::int64_t step, const Losses& losses) {
    const auto epoch = step / context_.length.steps_per_epoch;
    // A seed may pass several states at one boundary, and at the last one must reach its end.
    constexpr int kRounds = 8;
    for (int round = 0; round < kRounds; ++round) {
        ESPER_TRY(auto now, view(step, losses));
        for (const auto& request : controller_->looks_due(now)) {
            ESPER_TRY(auto result, look(request));
            auto detail = tamiyo::to_json(result);
            const auto& slot = kasmina_->slots()[request.slot];
            detail["seed"] = slot.seed;
            detail["anchor"] = slot.anchor;
            detail["blueprint"] = slot.blueprint;
            detail["stage"] = contracts::to_text(request.stage);
            detail["look"] = request.look;
            ESPER_CHECK_STATUS(context_.event("gate", step, epoch, std::move(detail)));
            now.slots[request.slot].gate = result;
        }
        const auto decisions = controller_->decide(now);
        for (const auto& decision : decisions) {
            auto detail = tamiyo::to_json(decision);
            if (decision.command == AdaptationCommand::kGerminate)
                detail["seed"] = kasmina_->next_seed();
            ESPER_CHECK_STATUS(context_.event("decision", step, epoch, std::move(detail)));
            ESPER_CHECK_STATUS(carry_out(decision, step));
        }
        if (decisions.empty()) break;
    }
    return {};
}

Status ForeignGrowth::take_out(const std::string& seed, const std::string& reason,
                               std::int64_t step) {
    const auto epoch = step / context_.length.steps_per_epoch;
    for (const auto& slot : kasmina_->slots()) {
        if (slot.seed != seed || seed.empty()) continue;
        ESPER_CHECK_STATUS(
            context_.event("fault", step, epoch,
                           {{"seed", slot.seed}, {"anchor", slot.anchor}, {"reason", reason}}));
        ++counts_.culled;
        return kasmina_->fault(slot.index,
                               static_cast<std::uint32_t>(context_.config.growth.embargo.value),
                               step, static_cast<std::uint32_t>(epoch), reason);
    }
    return {};
}

Status ForeignGrowth::germinate(const tamiyo::Decision& d, std::int64_t step, std::uint32_t epoch) {
    ESPER_TRY(auto blueprint, blueprint_for(d.slot, d.blueprint));
    ESPER_TRY(const auto before, context_.runner.cost(*program()));
    ESPER_CHECK_STATUS(kasmina_->germinate(d.slot, d.blueprint, blueprint.program,
                                           blueprint.has_parameters, step, epoch, d.reason));
    ESPER_TRY(const auto after, context_.runner.cost(*program()));
    added_[d.slot] = {(after.forward_flops - before.forward_flops) / before.forward_flops,
                      (after.parameters - before.parameters) / before.parameters};
    sham_[d.slot] = blueprint.sham;
    ++counts_.germinated;
    if (blueprint.has_parameters) return {};
    return kasmina_->graft(d.slot, context_.config.growth.strategy,
                           tamiyo::graft_steps(context_.config.growth, context_.length.total_steps),
                           step, epoch, d.reason);
}

Status ForeignGrowth::carry_out(const tamiyo::Decision& d, std::int64_t step) {
    const auto epoch = static_cast<std::uint32_t>(step / context_.length.steps_per_epoch);
    const auto& growth = context_.config.growth;
    switch (d.command) {
        case AdaptationCommand::kGerminate:
            return germinate(d, step, epoch);
        case AdaptationCommand::kPromote:
            return {};  // loading is part of germinating here
        case AdaptationCommand::kGraft:
            return kasmina_->graft(d.slot, growth.strategy,
                                   tamiyo::graft_steps(growth, context_.length.total_steps), step,
                                   epoch, d.reason);
        case AdaptationCommand::kStabilize:
            return kasmina_->advance(d.slot, SeedState::kStabilization, step, epoch);
        case AdaptationCommand::kEvaluate:
            return kasmina_->advance(d.slot, SeedState::kEvaluating, step, epoch);
        case AdaptationCommand::kFineTune:
            return kasmina_->advance(d.slot, SeedState::kFineTuning, step, epoch);
        case AdaptationCommand::kFossilize:
            ++counts_.fossilized;
            return kasmina_->fossilize(d.slot, step, epoch, d.reason);
        case AdaptationCommand::kCull:
            ++counts_.culled;
            return kasmina_->cull(d.slot, static_cast<std::uint32_t>(growth.embargo.value), step,
                                  epoch, d.reason);
        case AdaptationCommand::kCancel:
            ++counts_.cancelled;
            return kasmina_->cancel(d.slot, step, epoch, d.reason);
        case AdaptationCommand::kReset:
            return kasmina_->wake(d.slot, step, epoch);
        default:
            return fail(TolariaError::kUnsupported, "the command '" +
                                                        std::string(contracts::to_text(d.command)) +
                                                        "' is not one that growth can carry out");
    }
}

nlohmann::json ForeignGrowth::save() const {
    nlohmann::json added = nlohmann::json::array();
    for (const auto& [slot, a] : added_)
        added.push_back({slot, a.flops, a.parameters, sham_.at(slot)});
    return {{"kasmina", kasmina_->to_json()},
            {"controller", controller_->save()},
            {"added", added},
            {"counts",
             {counts_.germinated, counts_.fossilized, counts_.culled, counts_.cancelled,
              counts_.rolled_back}}};
}

Status ForeignGrowth::restore(const nlohmann::json& state, graph::ProgramPtr program) {
    ESPER_CHECK_STATUS(kasmina_->restore(state.at("kasmina"), std::move(program)));
    ESPER_CHECK_STATUS(controller_->restore(state.at("controller")));
    for (const auto& a : state.at("added")) {
        added_[a[0]] = {a[1], a[2]};
        sham_[a[0]] = a[3];
    }
    const auto& c = state.at("counts");
    counts_ = {c[0], c[1], c[2], c[3], c[4]};
    return {};
}

}  // namespace esper::tolaria
