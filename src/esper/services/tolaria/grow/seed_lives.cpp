#include "esper/services/tolaria/grow/seed_lives.h"

#include <nlohmann/json.hpp>

#include "esper/base/text.h"
#include "esper/program/shapes.h"
#include "esper/services/tamiyo/lifecycle.h"
#include "esper/services/tolaria/grow/gate_looks.h"
#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::tolaria {

using contracts::AdaptationCommand;
using execution::SeedState;

Status SeedLives::find_slots(const graph::ProgramPtr& host, graph::TensorStore& store) {
    ESPER_TRY(const auto wrapped, growth_places(config_.growth, host));
    std::vector<std::string> anchors;
    for (const auto& slot : wrapped.slots) {
        anchors.push_back(wrapped.anchor_of(slot).name);
        chunks_.push_back({slot.first_feature, slot.first_feature + slot.features});
    }
    ESPER_TRY(const auto alone, cost(*host));
    host_flops_ = alone.forward_flops;
    kasmina_ = std::make_unique<execution::KasminaLayer>(host, std::move(anchors), store);
    controller_ = std::make_unique<tamiyo::Controller>(
        config_.growth, config_.controller,
        tamiyo::RunShape{config_.run.seed, length_.steps_per_epoch, length_.total_steps,
                         config_.telemetry.health_ema});
    return {};
}

Result<blueprints::Blueprint> SeedLives::blueprint_for(std::uint32_t slot,
                                                       const std::string& name) {
    const auto* anchor = program()->find_anchor(kasmina_->slots()[slot].anchor);
    ESPER_TRY(auto types, graph::infer_types(*program()));
    return blueprint_of(types[anchor->value.value()], slot, name);
}

Result<blueprints::Blueprint> SeedLives::blueprint_of(graph::TensorType type, std::uint32_t slot,
                                                      const std::string& name) {
    const auto* anchor = program()->find_anchor(kasmina_->slots()[slot].anchor);
    if (!type.shape.empty()) type.shape[0] = -1;
    return blueprints::make_blueprint(name, *anchor, type, chunks_[slot]);
}

Result<SeedLives::Addition> SeedLives::addition(const execution::SeedSlot& slot,
                                                const std::string& name,
                                                const graph::TensorType& type,
                                                const HostCost& now) {
    const auto* anchor = program()->find_anchor(slot.anchor);
    const auto& chunk = chunks_[slot.index];
    const Place place{anchor->kind, type.shape, chunk.begin, chunk.end, name};
    if (auto known = additions_.find(place); known != additions_.end()) return known->second;
    ESPER_TRY(auto blueprint, blueprint_of(type, slot.index, name));
    ESPER_TRY(auto grown,
              graph::apply(*program(), graph::InsertSeed{kasmina_->next_seed(), slot.anchor, name,
                                                         blueprint.program}));
    ESPER_TRY(const auto then, cost(*grown));
    return additions_[place] = {then.forward_flops - now.forward_flops,
                                then.parameters - now.parameters, blueprint.sham};
}

Status SeedLives::add_candidates(tamiyo::ControllerView& view) {
    const auto& growth = config_.growth;
    ESPER_TRY(const auto now, cost(*program()));
    ESPER_TRY(const auto types, graph::infer_types(*program()));
    for (const auto& slot : kasmina_->slots()) {
        if (kasmina_->state(slot.index) != SeedState::kDormant) continue;
        const auto* anchor = program()->find_anchor(slot.anchor);
        for (const auto& name : blueprints::blueprint_names(anchor->kind, growth.sham)) {
            if (!growth.blueprints.empty() && !glob_match_any(growth.blueprints, name) &&
                !(growth.sham && name.starts_with("sham")))
                continue;
            if (is_excluded(slot.index, name)) continue;
            ESPER_TRY(const auto added, addition(slot, name, types[anchor->value.value()], now));
            tamiyo::Candidate candidate;
            candidate.slot = slot.index;
            candidate.blueprint = name;
            candidate.relative_flops = added.flops / now.forward_flops;
            candidate.relative_parameters = added.parameters / now.parameters;
            candidate.sham = added.sham;
            view.candidates.push_back(std::move(candidate));
        }
    }
    return {};
}

Result<tamiyo::ControllerView> SeedLives::view(std::int64_t step, const LossCurve& train,
                                               const LossCurve& validation) {
    tamiyo::ControllerView view;
    view.step = step;
    view.epoch = epoch_of(step);
    view.total_steps = length_.total_steps;
    view.train_loss = train;
    view.validation_loss = validation;
    for (const auto& slot : kasmina_->slots()) {
        tamiyo::SlotView s;
        s.index = slot.index;
        s.seed = slot.seed;
        s.anchor = slot.anchor;
        s.state = kasmina_->state(slot.index);
        s.steps_in_state = step - slot.entered_step;
        s.blueprint = slot.blueprint;
        s.signals = signals(slot.index);
        s.ramp_complete = slot.ramp.is_complete();
        if (auto it = added_.find(slot.index); it != added_.end()) {
            s.relative_flops = it->second.flops;
            s.relative_parameters = it->second.parameters;
        }
        if (auto it = sham_.find(slot.index); it != sham_.end()) s.sham = it->second;
        view.slots.push_back(std::move(s));
    }
    ESPER_TRY(const auto now, cost(*program()));
    view.flops_ratio = now.forward_flops / host_flops_;
    view.growth_open = may_grow_at(step);
    ESPER_CHECK_STATUS(add_candidates(view));
    return view;
}

Status SeedLives::decide(std::int64_t step, const LossCurve& train, const LossCurve& validation) {
    // A seed may pass several states at one boundary, and at the last one must reach its end.
    constexpr int kRounds = 8;
    for (int round = 0; round < kRounds; ++round) {
        ESPER_TRY(auto now, view(step, train, validation));
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
            ESPER_CHECK_STATUS(event("gate", step, std::move(detail)));
            now.slots[request.slot].gate = seen.gate;
            now.slots[request.slot].fork_gate = seen.fork;
        }
        ESPER_CHECK_STATUS(measure_nominees(now, step));
        const auto decisions = controller_->decide(now);
        for (const auto& decision : decisions) {
            auto detail = tamiyo::to_json(decision);
            if (decision.command == AdaptationCommand::kGerminate) {
                detail["seed"] = kasmina_->next_seed();
                ESPER_CHECK_STATUS(before_germination(step));
            }
            ESPER_CHECK_STATUS(event("decision", step, std::move(detail)));
            ESPER_CHECK_STATUS(carry_out(decision, step));
        }
        if (decisions.empty()) break;
    }
    return {};
}

Status SeedLives::germinate(const tamiyo::Decision& d, const blueprints::Blueprint& blueprint,
                            std::int64_t step) {
    ESPER_TRY(const auto before, cost(*program()));
    ESPER_CHECK_STATUS(kasmina_->germinate(d.slot, d.blueprint, blueprint.program,
                                           blueprint.has_parameters, step, epoch_of(step),
                                           d.reason));
    ESPER_TRY(const auto after, cost(*program()));
    added_[d.slot] = {(after.forward_flops - before.forward_flops) / before.forward_flops,
                      (after.parameters - before.parameters) / before.parameters};
    sham_[d.slot] = blueprint.sham;
    ++counts_.germinated;
    return blueprint.has_parameters ? Status{} : graft(d, step);
}

Status SeedLives::graft(const tamiyo::Decision& d, std::int64_t step) {
    ESPER_CHECK_STATUS(before_graft(d.slot, step));
    return kasmina_->graft(d.slot, config_.growth.strategy,
                           tamiyo::graft_steps(config_.growth, length_.total_steps), step,
                           epoch_of(step), d.reason);
}

Status SeedLives::carry_out(const tamiyo::Decision& d, std::int64_t step) {
    const auto epoch = epoch_of(step);
    switch (d.command) {
        case AdaptationCommand::kGerminate: {
            ESPER_TRY(const auto blueprint, blueprint_for(d.slot, d.blueprint));
            return plant(d, blueprint, step);
        }
        case AdaptationCommand::kPromote:
            return {};  // loading is part of germinating here
        case AdaptationCommand::kGraft:
            return graft(d, step);
        case AdaptationCommand::kStabilize:
            ESPER_CHECK_STATUS(kasmina_->advance(d.slot, SeedState::kStabilization, step, epoch));
            return statistics_shifted(step);
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
            ESPER_CHECK_STATUS(
                kasmina_->cull(d.slot, static_cast<std::uint32_t>(config_.growth.embargo.value),
                               step, epoch, d.reason));
            return was_blended ? statistics_shifted(step) : Status{};
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

// What a kind of growth does not do.
Status SeedLives::measure_nominees(tamiyo::ControllerView&, std::int64_t) { return {}; }
tamiyo::SlotSignals SeedLives::signals(std::uint32_t) const { return {}; }
bool SeedLives::is_excluded(std::uint32_t, const std::string&) const { return false; }
Status SeedLives::before_germination(std::int64_t) { return {}; }
Status SeedLives::before_graft(std::uint32_t, std::int64_t) { return {}; }
Status SeedLives::statistics_shifted(std::int64_t) { return {}; }

Result<graph::ProgramPtr> SeedLives::blended_for(const tamiyo::LookRequest& request,
                                                 graph::TensorStore& store) const {
    if (request.stage != tamiyo::GateStage::kBeforeGraft) return program();
    const auto& seed = kasmina_->slots()[request.slot].seed;
    ESPER_TRY(auto blended,
              graph::apply(*program(), graph::SetSeedMode{seed, graph::SeedMode::kBlended}));
    ESPER_CHECK_STATUS(store.add(*blended, "seed." + seed));
    return blended;
}

nlohmann::json SeedLives::save_lives() const {
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

Status SeedLives::restore_lives(const nlohmann::json& state, graph::ProgramPtr program) {
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
