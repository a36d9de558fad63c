// What growth measures: the gates' looks at a seed, cheap and honest, and the gain of a candidate.

#include <nlohmann/json.hpp>

#include "esper/program/cost/cost.h"
#include "esper/services/tolaria/grow/gate_looks.h"
#include "esper/services/tolaria/grow/growth.h"
#include "esper/services/tolaria/grow/seed_scale.h"
#include "esper/services/tolaria/learn/block_settings.h"
#include "esper/services/tolaria/learn/evaluation.h"

namespace esper::tolaria {

namespace {

std::uint32_t batch_size(const configs::EsperConfig& config) {
    return static_cast<std::uint32_t>(config.data.batch_size);
}

double mean(const std::vector<float>& values) {
    double sum = 0;
    for (float v : values) sum += v;
    return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

}  // namespace

ExampleSource Growth::source(std::int64_t step) const {
    return {context_.dataset, context_.config.run.seed, step, batch_size(context_.config),
            train_examples(context_.config, context_.dataset)};
}

Status Growth::statistics_shifted(std::int64_t step) {
    ESPER_TRY(auto passed, recalibrate(context_.engine, program(), context_.store, source(step)));
    if (passed == 0) return {};
    ESPER_TRY(auto cost, graph::count_cost(*program()));
    flops_ += static_cast<double>(cost.forward_flops) * static_cast<double>(passed);
    return {};
}

Result<std::vector<float>> Growth::probe_losses(const graph::ProgramPtr& program, Engine& engine,
                                                graph::TensorStore& store, std::int64_t step) {
    ESPER_TRY(auto passed, recalibrate(engine, program, store, source(step)));
    ESPER_TRY(auto seen, evaluate_part(engine, program, store, context_.dataset, Part::kProbe,
                                       batch_size(context_.config)));
    ESPER_TRY(auto cost, graph::count_cost(*program));
    flops_ += static_cast<double>(cost.forward_flops) *
              (static_cast<double>(seen.examples) + static_cast<double>(passed));
    return std::move(seen.losses);
}

// Per-example loss without the seed minus loss with it, same weights, in the run's probe order.
Result<GateLooks> Growth::look(const tamiyo::LookRequest& request, std::int64_t step) {
    auto& store = context_.store;
    const auto& slot = kasmina_->slots()[request.slot];
    const auto alpha = "alpha." + slot.seed;
    const bool isolated = request.stage == tamiyo::GateStage::kBeforeGraft;
    ESPER_TRY(const auto blended, blended_for(request, store));
    if (isolated) ESPER_CHECK_STATUS(settle_scale(slot, blended));
    GateLooks looks;
    std::vector<float> with;
    {
        const BufferGuard leaves_no_trace(store);
        ESPER_CHECK_STATUS(store.set_control(alpha, 0));
        ESPER_TRY(auto without, probe_losses(blended, context_.engine, store, step));
        ESPER_CHECK_STATUS(store.set_control(alpha, 1));
        ESPER_TRY(with, probe_losses(blended, context_.engine, store, step));
        looks.gate = tamiyo::look(differences(without, with, probe_order_), request.spec);
    }
    if (isolated) {
        store.remove_control(alpha);
        // What was recorded is bound to the control that has just gone.
        context_.engine.keep_only({program()});
    }
    if (request.fork) ESPER_CHECK_STATUS(look_at_fork(request, step, with, looks));
    return looks;
}

// Before its first look a seed gets the size at which it helps most; the host has not met it yet.
Status Growth::settle_scale(const execution::SeedSlot& slot, const graph::ProgramPtr& blended) {
    ESPER_TRY(const auto blueprint, blueprint_for(slot.index, slot.blueprint));
    ESPER_TRY(const auto scale,
              fit_scale({blended, slot.seed, blueprint, context_.config.run.seed, step_,
                         static_cast<std::uint32_t>(context_.config.data.batch_size),
                         train_examples(context_.config, context_.dataset)},
                        context_.engine, context_.store, context_.dataset));
    if (scale.evaluation_examples == 0) return {};
    ESPER_TRY(const auto cost, graph::count_cost(*blended));
    flops_ +=
        static_cast<double>(cost.forward_flops) * static_cast<double>(scale.evaluation_examples);
    return context_.folder.event("scale", step_, step_ / context_.length.steps_per_epoch,
                                 {{"seed", slot.seed},
                                  {"factor", scale.factor},
                                  {"loss_without", scale.loss_without},
                                  {"loss_with", scale.loss_with}});
}

Result<graph::ProgramPtr> Growth::host_without(std::uint32_t slot) const {
    auto host = program();
    for (const auto& seed : graph::seeds_in(*program())) {
        if (seed.seed != kasmina_->slots()[slot].seed && seed.mode != graph::SeedMode::kIsolated)
            continue;
        ESPER_TRY(host, graph::apply(*host, graph::RemoveSeed{seed.seed}));
    }
    return host;
}

Status Growth::before_graft(std::uint32_t slot, std::int64_t step) {
    if (!controller_->lifecycle().draws_fork(slot, sham_[slot])) return {};
    for (const auto& other : kasmina_->slots()) {
        const auto state = kasmina_->state(other.index);
        // Its ramp and what it learns are no part of the fork, which would then lag behind.
        if (other.index != slot && contracts::is_blended(state) &&
            state != execution::SeedState::kFossilized)
            return {};
    }
    ESPER_TRY(auto host, host_without(slot));
    forks_[slot] = {kasmina_->slots()[slot].seed, step,
                    std::make_unique<Fork>(host, context_.store, context_.optimizer, step,
                                           context_.config, context_.engine.precision())};
    return {};
}

void Growth::drop_forks() {
    std::erase_if(forks_, [this](const auto& item) {
        const auto& slot = kasmina_->slots()[item.first];
        return slot.seed != item.second.seed ||
               !contracts::is_in_flight(kasmina_->state(slot.index));
    });
}

Result<std::int64_t> Growth::bring_to(Fork& fork, std::int64_t step) {
    ESPER_TRY(auto cost, graph::count_cost(*fork.program()));
    const auto before = fork.step();
    auto trained = fork.advance(
        step, {context_.config, context_.dataset,
               BatchPlan::shuffled(train_examples(context_.config, context_.dataset),
                                   batch_size(context_.config), context_.config.run.seed),
               context_.rate, [this](const std::string& block, std::int64_t age) {
                   return block_settings(context_.config, kasmina_->treatment(block), age);
               }});
    flops_ += static_cast<double>(cost.training_flops) *
              static_cast<double>(batch_size(context_.config)) *
              static_cast<double>(fork.step() - before);
    return trained;
}

Status Growth::bring_forks_to(std::int64_t step) {
    for (auto it = forks_.begin(); it != forks_.end();) {
        auto trained = bring_to(*it->second.fork, step);
        if (!trained && !trained.error().is(TolariaError::kDiverged)) return fail(trained.error());
        it = trained ? std::next(it) : forks_.erase(it);
    }
    return {};
}

Status Growth::look_at_fork(const tamiyo::LookRequest& request, std::int64_t step,
                            const std::vector<float>& with, GateLooks& looks) {
    const auto unmeasured = [&](std::string why) {
        looks.fork_detail = {{"measured", false}, {"why", std::move(why)}};
        return Status{};
    };
    const auto found = forks_.find(request.slot);
    if (found == forks_.end())
        return unmeasured(
            "there is no fork: another seed was being blended in at the graft, or the run without "
            "this one did not stay finite");
    auto& fork = *found->second.fork;
    ESPER_TRY(auto host, host_without(request.slot));
    if (host->hash() != fork.program()->hash())
        return unmeasured("the host was changed by another seed since the graft");

    const double flops_before = flops_;
    auto trained = bring_to(fork, step);
    const double flops = flops_ - flops_before;
    if (!trained) {
        if (!trained.error().is(TolariaError::kDiverged)) return fail(trained.error());
        const auto why = trained.error().message();
        forks_.erase(found);
        return unmeasured(why);
    }
    const BufferGuard leaves_no_trace(fork.store());
    ESPER_TRY(auto without, probe_losses(fork.program(), fork.engine(), fork.store(), step));
    looks.fork = tamiyo::look(differences(without, with, probe_order_), request.spec);
    looks.fork_detail = tamiyo::to_json(*looks.fork);
    looks.fork_detail["measured"] = true;
    looks.fork_detail["from_step"] = found->second.taken;
    looks.fork_detail["steps"] = *trained;
    looks.fork_detail["flops"] = flops;
    looks.fork_detail["loss_without"] = mean(without);
    looks.fork_detail["loss_with"] = mean(with);
    return {};
}

Result<ReadoutFit> Growth::fit(std::uint32_t slot, const blueprints::Blueprint& blueprint,
                               std::int64_t step) {
    ReadoutRequest request;
    request.program = program();
    request.anchor = kasmina_->slots()[slot].anchor;
    request.seed = kasmina_->next_seed();
    request.blueprint = blueprint;
    request.run_seed = context_.config.run.seed;
    request.step = step;
    request.batch_size = batch_size(context_.config);
    request.train_examples = train_examples(context_.config, context_.dataset);
    ESPER_TRY(auto fit, fit_readout(request, context_.engine, context_.store, context_.dataset));
    ESPER_TRY(auto cost, graph::count_cost(*program()));
    flops_ +=
        static_cast<double>(cost.training_flops) * static_cast<double>(fit.training_examples) +
        static_cast<double>(cost.forward_flops) * static_cast<double>(fit.evaluation_examples);
    context_.engine.keep_only({program()});
    ESPER_CHECK_STATUS(context_.folder.event("readout", step,
                                             step / context_.length.steps_per_epoch,
                                             {{"anchor", request.anchor},
                                              {"blueprint", blueprint.name},
                                              {"gamma", fit.gamma},
                                              {"gain", fit.gain()},
                                              {"first_order_gain", fit.first_order_gain},
                                              {"samples", fit.samples},
                                              {"host_part_removed", fit.host_part_removed}}));
    return fit;
}

// A sham is there to be culled by the gate, not by the line search; and on images its features
// stand at no place of the picture, which a fit place by place needs.
bool Growth::has_fit(const blueprints::Blueprint& blueprint) {
    return !blueprint.sham && !blueprint.readout_weight.empty();
}

Status Growth::measure_nominees(tamiyo::ControllerView& view, std::int64_t step) {
    fits_.clear();
    for (auto i : controller_->nominees(view))
        ESPER_CHECK_STATUS(measure(view.candidates[i], step));
    return {};
}

Status Growth::measure(tamiyo::Candidate& candidate, std::int64_t step) {
    ESPER_TRY(auto blueprint, blueprint_for(candidate.slot, candidate.blueprint));
    if (!has_fit(blueprint)) return {};
    ESPER_TRY(auto found, fit(candidate.slot, blueprint, step));
    candidate.predicted_gain = found.gain();
    fits_[{candidate.slot, candidate.blueprint}] = std::move(found);
    return {};
}

}  // namespace esper::tolaria
