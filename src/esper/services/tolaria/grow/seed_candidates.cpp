// What the controller is shown of a run: the slots, and what could germinate in those that sleep.

#include "esper/base/text.h"
#include "esper/program/shapes.h"
#include "esper/services/tolaria/grow/seed_lives.h"

namespace esper::tolaria {

using execution::SeedState;

Result<SeedLives::Addition> SeedLives::addition(const execution::SeedSlot& slot,
                                                const std::string& name,
                                                const graph::TensorType& type,
                                                const HostCost& now) {
    const auto* anchor = program()->find_anchor(slot.anchor);
    const auto& chunk = context_.places.chunk(slot.index);
    const Place place{anchor->kind, type.shape, chunk.begin, chunk.end, name};
    if (auto known = additions_.find(place); known != additions_.end()) return known->second;
    ESPER_TRY(auto blueprint, context_.places.blueprint_of(type, slot.index, name));
    ESPER_TRY(auto grown,
              graph::apply(*program(), graph::InsertSeed{kasmina().next_seed(), slot.anchor, name,
                                                         blueprint.program}));
    ESPER_TRY(const auto then, context_.measurer.cost(*grown));
    return additions_[place] = {then.forward_flops - now.forward_flops,
                                then.parameters - now.parameters, blueprint.sham};
}

Status SeedLives::add_candidates(tamiyo::ControllerView& view) {
    const auto& growth = context_.config.growth;
    ESPER_TRY(const auto now, context_.measurer.cost(*program()));
    ESPER_TRY(const auto types, graph::infer_types(*program()));
    for (const auto& slot : kasmina().slots()) {
        if (kasmina().state(slot.index) != SeedState::kDormant) continue;
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
            candidate.unlikely = context_.unlikely && context_.unlikely(anchor->kind, name);
            view.candidates.push_back(std::move(candidate));
        }
    }
    return {};
}

Result<tamiyo::ControllerView> SeedLives::view(Moment now, const LossCurve& train,
                                               const LossCurve& validation) {
    tamiyo::ControllerView view;
    view.step = now.step;
    view.epoch = now.epoch;
    view.total_steps = context_.measurer.total_steps(now);
    view.train_loss = train;
    view.validation_loss = validation;
    for (const auto& slot : kasmina().slots()) {
        tamiyo::SlotView s;
        s.index = slot.index;
        s.seed = slot.seed;
        s.anchor = slot.anchor;
        s.state = kasmina().state(slot.index);
        s.steps_in_state = now.step - slot.entered_step;
        s.blueprint = slot.blueprint;
        s.signals = context_.measurer.signals(slot.index);
        s.ramp_complete = slot.ramp.is_complete();
        if (auto it = in_slot_.find(slot.index); it != in_slot_.end()) {
            s.relative_flops = it->second.flops;
            s.relative_parameters = it->second.parameters;
            s.sham = it->second.sham;
        }
        view.slots.push_back(std::move(s));
    }
    ESPER_TRY(const auto cost, context_.measurer.cost(*program()));
    view.flops_ratio = cost.forward_flops / host_flops_;
    view.growth_open = context_.measurer.may_grow(now);
    ESPER_CHECK_STATUS(context_.measurer.price_lives(view, now));
    if (!paused_) ESPER_CHECK_STATUS(add_candidates(view));
    return view;
}

}  // namespace esper::tolaria
