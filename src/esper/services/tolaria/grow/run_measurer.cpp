// The looks at a seed of a host that we run.

#include "esper/services/tolaria/grow/run_measurer.h"

#include <nlohmann/json.hpp>

#include "esper/program/edits/seed_names.h"
#include "esper/services/tolaria/grow/seed_scale.h"
#include "esper/services/tolaria/learn/evaluation.h"
#include "esper/services/tolaria/learn/kept_buffers.h"
#include "esper/services/tolaria/learn/text_samples.h"

namespace esper::tolaria {

namespace {

std::uint32_t batch_size(const configs::EsperConfig& config) {
    return static_cast<std::uint32_t>(config.data.batch_size);
}

}  // namespace

Status GrowingRun::event(const std::string& kind, Moment now, nlohmann::json detail) const {
    return folder.event(kind, now.step, now.epoch, std::move(detail));
}

RunMeasurer::RunMeasurer(GrowingRun& run, SeedPlaces& places)
    : run_(run),
      places_(places),
      probe_order_(tamiyo::probe_order(run.config.run.seed, run.dataset.size(Part::kProbe))),
      health_(run.config.telemetry.every, places.slots().size()) {}

Result<HostCost> RunMeasurer::cost(const graph::Program& program) {
    ESPER_TRY(const auto counted, graph::count_cost(program));
    return HostCost{static_cast<double>(counted.forward_flops),
                    static_cast<double>(program.parameter_count())};
}

bool RunMeasurer::may_grow(Moment now) const {
    return run_.course.may_grow(now.step, run_.config.growth.stop);
}

std::int64_t RunMeasurer::total_steps(Moment now) const {
    return run_.course.total_steps(now.step);
}

Status RunMeasurer::before_first_seed(Moment now) {
    auto& learner = run_.learner;
    ESPER_TRY(const auto flops,
              record_sample(
                  {learner.engine(), program(), learner.store(), run_.dataset.info(), run_.folder},
                  run_.config, "before the first growth", now.step, now.epoch));
    run_.flops.sampling += flops;
    return {};
}

ExampleSource RunMeasurer::source(Moment now) const {
    return {run_.dataset, run_.config.run.seed, now.step, batch_size(run_.config),
            train_examples(run_.config, run_.dataset)};
}

Status RunMeasurer::settle_statistics(Moment now) {
    ESPER_TRY(auto passed,
              recalibrate(run_.learner.engine(), program(), run_.learner.store(), source(now)));
    if (passed == 0) return {};
    ESPER_TRY(auto cost, graph::count_cost(*program()));
    run_.flops.measuring += forward_flops(cost, passed);
    return {};
}

Result<std::vector<float>> RunMeasurer::probe_losses(const graph::ProgramPtr& program,
                                                     Learner& learner, Moment now) {
    ESPER_TRY(auto passed, recalibrate(learner.engine(), program, learner.store(), source(now)));
    ESPER_TRY(auto seen, evaluate_part(learner.engine(), program, learner.store(), run_.dataset,
                                       Part::kProbe, batch_size(run_.config)));
    ESPER_TRY(auto cost, graph::count_cost(*program));
    run_.flops.measuring += forward_flops(cost, std::int64_t{seen.examples} + passed);
    return std::move(seen.losses);
}

// Per-example loss without the seed minus loss with it, same weights, in the run's probe order.
Result<GateLooks> RunMeasurer::look(const tamiyo::LookRequest& request, Moment now) {
    auto& store = run_.learner.store();
    const auto& slot = places_.slots()[request.slot];
    const auto alpha = graph::seed_control(slot.seed);
    const bool isolated = request.stage == tamiyo::GateStage::kBeforeGraft;
    ESPER_TRY(const auto blended, blended_for(places_, request));
    if (isolated) ESPER_CHECK_STATUS(settle_scale(slot, blended, now));
    GateLooks looks;
    std::vector<float> with;
    {
        const BufferGuard leaves_no_trace(store);
        ESPER_CHECK_STATUS(store.set_control(alpha, 0));
        ESPER_TRY(auto without, probe_losses(blended, run_.learner, now));
        ESPER_CHECK_STATUS(store.set_control(alpha, 1));
        ESPER_TRY(with, probe_losses(blended, run_.learner, now));
        looks.gate = tamiyo::look(differences(without, with, probe_order_), request.spec);
    }
    if (isolated) {
        store.remove_control(alpha);
        // What was recorded is bound to the control that has just gone.
        run_.learner.engine().keep_only({program()});
    }
    if (request.fork) ESPER_CHECK_STATUS(look_at_fork(request, now, with, looks));
    return looks;
}

// Before its first look a seed gets the size at which it helps most; the host has not met it yet.
Status RunMeasurer::settle_scale(const execution::SeedSlot& slot, const graph::ProgramPtr& blended,
                                 Moment now) {
    ESPER_TRY(const auto blueprint, places_.blueprint_for(slot.index, slot.blueprint));
    ESPER_TRY(const auto scale,
              fit_scale({blended, slot.seed, blueprint, run_.config.run.seed, now.step,
                         batch_size(run_.config), train_examples(run_.config, run_.dataset)},
                        run_.learner.engine(), run_.learner.store(), run_.dataset));
    if (scale.evaluation_examples == 0) return {};
    ESPER_TRY(const auto cost, graph::count_cost(*blended));
    run_.flops.measuring += forward_flops(cost, scale.evaluation_examples);
    return run_.event("scale", now,
                      {{"seed", slot.seed},
                       {"factor", scale.factor},
                       {"loss_without", scale.loss_without},
                       {"loss_with", scale.loss_with}});
}

}  // namespace esper::tolaria
