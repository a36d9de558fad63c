#include "esper/services/tolaria/growth.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "esper/base/text.h"
#include "esper/graph/cost.h"
#include "esper/graph/shapes.h"
#include "esper/services/tamiyo/lifecycle.h"
#include "esper/services/tolaria/gate_looks.h"
#include "esper/services/tolaria/setup.h"

namespace esper::tolaria {

using contracts::AdaptationCommand;
using execution::SeedState;

Result<std::unique_ptr<Growth>> Growth::create(const Context& context,
                                               const graph::ProgramPtr& host) {
    std::unique_ptr<Growth> growth(new Growth(context));
    const auto& config = context.config;
    ESPER_TRY(const auto wrapped, growth_places(config.growth, host));
    std::vector<std::string> anchors;
    for (const auto& slot : wrapped.slots) {
        anchors.push_back(wrapped.anchor_of(slot).name);
        growth->chunks_.push_back({slot.first_feature, slot.first_feature + slot.features});
    }
    growth->host_ = host;
    ESPER_TRY(auto cost, graph::count_cost(*host));
    growth->host_flops_ = static_cast<double>(cost.forward_flops);
    growth->kasmina_ =
        std::make_unique<execution::KasminaLayer>(host, std::move(anchors), context.store);
    growth->controller_ = std::make_unique<tamiyo::Controller>(
        config.growth, config.controller,
        tamiyo::RunShape{config.run.seed, context.length.steps_per_epoch,
                         context.length.total_steps, config.telemetry.health_ema});
    growth->health_.emplace(config.telemetry.every, growth->chunks_.size());
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
    return blueprints::make_blueprint(name, *anchor, type, chunks_[slot]);
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
            if (is_evicted(slot.index, name)) continue;
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
        s.signals = health_->signals(slot.index);
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

Status Growth::at_boundary(std::int64_t step, const Losses& losses) {
    const auto epoch = step / context_.length.steps_per_epoch;
    step_ = step;
    drop_forks();
    ESPER_CHECK_STATUS(report_health(step));
    // A seed may pass several states at one boundary, and at the last one must reach its end.
    constexpr int kRounds = 8;
    for (int round = 0; round < kRounds; ++round) {
        fits_.clear();
        ESPER_TRY(auto now, view(step, losses));
        for (const auto& request : controller_->looks_due(now)) {
            ESPER_TRY(auto seen, look(request, step));
            auto detail = tamiyo::to_json(seen.gate);
            if (request.fork) detail["fork"] = seen.fork_detail;
            const auto& slot = kasmina_->slots()[request.slot];
            detail["seed"] = slot.seed;
            detail["anchor"] = slot.anchor;
            detail["blueprint"] = slot.blueprint;
            detail["stage"] = contracts::to_text(request.stage);
            detail["look"] = request.look;
            ESPER_CHECK_STATUS(context_.folder.event("gate", step, epoch, std::move(detail)));
            now.slots[request.slot].gate = seen.gate;
            now.slots[request.slot].fork_gate = seen.fork;
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
    drop_forks();
    health_->reset();
    context_.engine.keep_only({program()});
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
            ESPER_CHECK_STATUS(take_fork(d.slot, step));
            return kasmina_->graft(d.slot, growth.strategy,
                                   tamiyo::graft_steps(growth, context_.length.total_steps), step,
                                   epoch, d.reason);
        case AdaptationCommand::kStabilize:
            ESPER_CHECK_STATUS(kasmina_->advance(d.slot, SeedState::kStabilization, step, epoch));
            return settle_statistics(step);
        case AdaptationCommand::kEvaluate:
            return kasmina_->advance(d.slot, SeedState::kEvaluating, step, epoch);
        case AdaptationCommand::kFineTune:
            return kasmina_->advance(d.slot, SeedState::kFineTuning, step, epoch);
        case AdaptationCommand::kFossilize:
            ++counts_.fossilized;
            return kasmina_->fossilize(d.slot, step, epoch, d.reason);
        case AdaptationCommand::kCull: {
            ++counts_.culled;
            const bool was_blended = contracts::is_blended(kasmina_->state(d.slot));
            ESPER_CHECK_STATUS(kasmina_->cull(d.slot, embargo, step, epoch, d.reason));
            return was_blended ? settle_statistics(step) : Status{};
        }
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

nlohmann::json Growth::save(std::map<std::string, at::Tensor>& tensors) const {
    nlohmann::json added = nlohmann::json::array();
    for (const auto& [slot, a] : added_)
        added.push_back({slot, a.flops, a.parameters, sham_.at(slot)});
    nlohmann::json forks = nlohmann::json::array();
    for (const auto& [slot, f] : forks_) {
        auto saved = f.fork->save("fork." + f.seed + ".", tensors);
        saved["slot"] = slot;
        saved["seed"] = f.seed;
        saved["taken"] = f.taken;
        forks.push_back(std::move(saved));
    }
    return {{"kasmina", kasmina_->to_json()},
            {"forks", std::move(forks)},
            {"health", health_->save()},
            {"flops", flops_},
            {"controller", controller_->save()},
            {"added", added},
            {"faults", save_faults()},
            {"counts",
             {counts_.germinated, counts_.fossilized, counts_.culled, counts_.cancelled,
              counts_.rolled_back}}};
}

Status Growth::restore(const nlohmann::json& state, graph::ProgramPtr program,
                       const std::map<std::string, at::Tensor>& tensors) {
    ESPER_CHECK_STATUS(kasmina_->restore(state.at("kasmina"), std::move(program)));
    ESPER_CHECK_STATUS(controller_->restore(state.at("controller")));
    for (const auto& a : state.at("added")) {
        added_[a[0]] = {a[1], a[2]};
        sham_[a[0]] = a[3];
    }
    health_->restore(state.at("health"));
    flops_ = state.at("flops").get<double>();
    const auto precision = context_.config.run.precision == configs::Precision::kBf16
                               ? graph::Precision::kBFloat16
                               : graph::Precision::kFloat32;
    forks_.clear();
    for (const auto& f : state.at("forks")) {
        const auto seed = f.at("seed").get<std::string>();
        ESPER_TRY(auto fork, Fork::restore(f, "fork." + seed + ".", tensors, host_,
                                           context_.store.options(), context_.config, precision));
        forks_[f.at("slot").get<std::uint32_t>()] = {seed, f.at("taken").get<std::int64_t>(),
                                                     std::make_unique<Fork>(std::move(fork))};
    }
    restore_faults(state.at("faults"));
    const auto& c = state.at("counts");
    counts_ = {c[0], c[1], c[2], c[3], c[4]};
    return {};
}

}  // namespace esper::tolaria
