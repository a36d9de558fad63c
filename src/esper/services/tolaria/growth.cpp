#include "esper/services/tolaria/growth.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "esper/base/text.h"
#include "esper/graph/cost.h"
#include "esper/graph/shapes.h"
#include "esper/services/tamiyo/lifecycle.h"
#include "esper/services/tolaria/evaluation.h"
#include "esper/services/tolaria/text_samples.h"

namespace esper::tolaria {

using contracts::AdaptationCommand;
using execution::SeedState;

Result<std::unique_ptr<Growth>> Growth::create(const Context& context,
                                               const graph::ProgramPtr& host) {
    std::unique_ptr<Growth> growth(new Growth(context));
    const auto& config = context.config;
    ESPER_TRY(auto anchors, growth_anchors(config.growth, *host));
    growth->host_ = host;
    ESPER_TRY(auto cost, graph::count_cost(*host));
    growth->host_flops_ = static_cast<double>(cost.forward_flops);
    growth->kasmina_ =
        std::make_unique<execution::KasminaLayer>(host, std::move(anchors), context.store);
    growth->controller_ = std::make_unique<tamiyo::Controller>(
        config.growth, config.controller,
        tamiyo::RunShape{config.run.seed, context.length.steps_per_epoch,
                         context.length.total_steps});
    growth->probe_order_ = tamiyo::probe_order(config.run.seed, context.dataset.size(Part::kProbe));
    return growth;
}

Result<double> Growth::relative_flops(const graph::Program& program) const {
    ESPER_TRY(auto cost, graph::count_cost(program));
    return static_cast<double>(cost.forward_flops) / host_flops_;
}

Result<blueprints::Blueprint> Growth::blueprint_for(std::uint32_t slot, const std::string& name) {
    const auto* anchor = program()->find_anchor(kasmina_->slots()[slot].anchor);
    ESPER_TRY(auto types, graph::infer_types(*program()));
    auto type = types[anchor->value.value()];
    if (!type.shape.empty()) type.shape[0] = -1;
    return blueprints::make_blueprint(name, *anchor, type);
}

Status Growth::add_candidates(tamiyo::ControllerView& view) {
    const auto& growth = context_.config.growth;
    ESPER_TRY(auto now, relative_flops(*program()));
    const auto parameters = static_cast<double>(program()->parameter_count());
    for (const auto& slot : kasmina_->slots()) {
        if (kasmina_->state(slot.index) != SeedState::kDormant) continue;
        const auto* anchor = program()->find_anchor(slot.anchor);
        for (const auto& name : blueprints::blueprint_names(anchor->kind, growth.sham)) {
            if (!growth.blueprints.empty() && !glob_match_any(growth.blueprints, name) &&
                !(growth.sham && name.starts_with("sham")))
                continue;
            ESPER_TRY(auto blueprint, blueprint_for(slot.index, name));
            ESPER_TRY(auto grown,
                      graph::apply(*program(), graph::InsertSeed{kasmina_->next_seed(), slot.anchor,
                                                                 name, blueprint.program}));
            ESPER_TRY(auto then, relative_flops(*grown));
            tamiyo::Candidate candidate;
            candidate.slot = slot.index;
            candidate.blueprint = name;
            candidate.relative_flops = (then - now) / now;
            candidate.relative_parameters =
                static_cast<double>(blueprint.program->parameter_count()) / parameters;
            candidate.sham = blueprint.sham;
            view.candidates.push_back(std::move(candidate));
        }
    }
    return {};
}

Result<tamiyo::ControllerView> Growth::view(std::int64_t step, const Losses& losses) {
    tamiyo::ControllerView view;
    view.step = step;
    view.epoch = step / context_.length.steps_per_epoch;
    view.total_steps = context_.length.total_steps;
    view.train_loss.assign(losses.train.begin(), losses.train.end());
    view.validation_loss.assign(losses.validation.begin(), losses.validation.end());
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
    ESPER_TRY(view.flops_ratio, relative_flops(*program()));
    view.growth_open =
        may_grow(context_.schedule, static_cast<std::uint64_t>(step), context_.config.growth.stop);
    ESPER_CHECK_STATUS(add_candidates(view));
    return view;
}

Result<std::vector<float>> Growth::probe_losses(const graph::ProgramPtr& program) {
    ESPER_TRY(
        auto seen,
        evaluate_part(context_.engine, program, context_.store, context_.dataset, Part::kProbe,
                      static_cast<std::uint32_t>(context_.config.data.batch_size)));
    ESPER_TRY(auto cost, graph::count_cost(*program));
    flops_ += static_cast<double>(cost.forward_flops) * seen.examples;
    return std::move(seen.losses);
}

// Per-example loss without the seed minus loss with it, same weights, in the run's probe order.
Result<tamiyo::GateResult> Growth::look(const tamiyo::LookRequest& request) {
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
    ESPER_TRY(auto without, probe_losses(blended));
    ESPER_CHECK_STATUS(context_.store.set_control(alpha, 1));
    ESPER_TRY(auto with, probe_losses(blended));
    if (isolated) {
        context_.store.remove("", alpha);
        // What was recorded is bound to the control that has just gone.
        context_.engine.keep_only({program()});
    }
    std::vector<float> differences;
    for (auto i : probe_order_) differences.push_back(without[i] - with[i]);
    return tamiyo::look(differences, request.spec);
}

Status Growth::measure(tamiyo::Candidate& candidate, std::int64_t step) {
    ESPER_TRY(auto blueprint, blueprint_for(candidate.slot, candidate.blueprint));
    if (blueprint.readout_weight.empty()) return {};
    ReadoutRequest request;
    request.program = program();
    request.anchor = kasmina_->slots()[candidate.slot].anchor;
    request.seed = kasmina_->next_seed();
    request.blueprint = blueprint;
    request.run_seed = context_.config.run.seed;
    request.step = step;
    request.batch_size = static_cast<std::uint32_t>(context_.config.data.batch_size);
    ESPER_TRY(auto fit, fit_readout(request, context_.engine, context_.store, context_.dataset));
    ESPER_TRY(auto cost, graph::count_cost(*program()));
    flops_ +=
        static_cast<double>(cost.training_flops) * static_cast<double>(fit.training_examples) +
        static_cast<double>(cost.forward_flops) * static_cast<double>(fit.evaluation_examples);
    candidate.predicted_gain = fit.gain();
    fits_[{candidate.slot, candidate.blueprint}] = std::move(fit);
    context_.engine.keep_only({program()});
    return {};
}

Status Growth::at_boundary(std::int64_t step, const Losses& losses) {
    const auto epoch = step / context_.length.steps_per_epoch;
    // A seed may pass several states at one boundary, and at the last one must reach its end.
    constexpr int kRounds = 8;
    for (int round = 0; round < kRounds; ++round) {
        fits_.clear();
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
            ESPER_CHECK_STATUS(context_.folder.event("gate", step, epoch, std::move(detail)));
            now.slots[request.slot].gate = result;
        }
        for (auto i : controller_->nominees(now))
            ESPER_CHECK_STATUS(measure(now.candidates[i], step));
        const auto decisions = controller_->decide(now);
        for (const auto& decision : decisions) {
            auto detail = tamiyo::to_json(decision);
            if (decision.command == AdaptationCommand::kGerminate) {
                detail["seed"] = kasmina_->next_seed();
                ESPER_CHECK_STATUS(sample_before_growth(step, epoch));
            }
            ESPER_CHECK_STATUS(context_.folder.event("decision", step, epoch, std::move(detail)));
            ESPER_CHECK_STATUS(carry_out(decision, step));
        }
        if (decisions.empty()) break;
    }
    context_.engine.keep_only({program()});
    return {};
}

Status Growth::sample_before_growth(std::int64_t step, std::int64_t epoch) {
    if (counts_.germinated > 0) return {};
    ESPER_TRY(const auto flops,
              record_sample({context_.engine, program(), context_.store, context_.dataset.info(),
                             context_.folder},
                            context_.config, "before the first growth", step, epoch));
    flops_ += flops;
    return {};
}

Status Growth::take_out_faulty(const std::vector<std::string>& blocks, std::int64_t step) {
    const auto epoch = step / context_.length.steps_per_epoch;
    for (const auto& block : blocks)
        for (const auto& slot : kasmina_->slots()) {
            if (slot.seed.empty() || "seed." + slot.seed != block) continue;
            const std::string reason = "its gradient was not finite";
            ESPER_CHECK_STATUS(context_.folder.event(
                "fault", step, epoch,
                {{"seed", slot.seed}, {"anchor", slot.anchor}, {"reason", reason}}));
            ESPER_CHECK_STATUS(kasmina_->fault(
                slot.index, static_cast<std::uint32_t>(context_.config.growth.embargo.value), step,
                static_cast<std::uint32_t>(epoch), reason));
            ++counts_.culled;
            break;
        }
    return {};
}

Status Growth::germinate(const tamiyo::Decision& d, std::int64_t step, std::uint32_t epoch) {
    ESPER_TRY(auto blueprint, blueprint_for(d.slot, d.blueprint));
    const auto seed = kasmina_->next_seed();
    ESPER_TRY(auto before, relative_flops(*program()));
    const auto parameters = static_cast<double>(program()->parameter_count());
    ESPER_CHECK_STATUS(kasmina_->germinate(d.slot, d.blueprint, blueprint.program,
                                           blueprint.has_parameters, step, epoch, d.reason));
    ESPER_TRY(auto after, relative_flops(*program()));
    added_[d.slot] = {(after - before) / before,
                      static_cast<double>(blueprint.program->parameter_count()) / parameters};
    sham_[d.slot] = blueprint.sham;
    ++counts_.germinated;
    auto fit = fits_.find({d.slot, d.blueprint});
    if (context_.config.growth.readout == configs::Readout::kClosedForm && fit != fits_.end() &&
        fit->second.gamma > 0) {
        const auto* weight =
            context_.store.find_parameter("seed." + seed + "." + blueprint.readout_weight);
        auto value = weight->value;
        value.copy_(fit->second.weight);
    }
    return {};
}

Status Growth::carry_out(const tamiyo::Decision& d, std::int64_t step) {
    const auto epoch = static_cast<std::uint32_t>(step / context_.length.steps_per_epoch);
    const auto& growth = context_.config.growth;
    const auto embargo = static_cast<std::uint32_t>(growth.embargo.value);
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
            return kasmina_->cull(d.slot, embargo, step, epoch, d.reason);
        case AdaptationCommand::kReset:
            return kasmina_->wake(d.slot, step, epoch);
        default:
            return fail(TolariaError::kUnsupported, "the command '" +
                                                        std::string(contracts::to_text(d.command)) +
                                                        "' is not one that growth can carry out");
    }
}

nlohmann::json Growth::save() const {
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

Status Growth::restore(const nlohmann::json& state, graph::ProgramPtr program) {
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
