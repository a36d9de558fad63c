// The looks at a seed of a host that we run.

#include "esper/services/tolaria/grow/run_measurer.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <span>

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
      account_(run.config.growth.measure_share, run.flops),
      probe_order_(tamiyo::probe_order(run.config.run.seed, run.dataset.size(Part::kProbe))),
      health_(run.config.telemetry.every, places.slots().size()) {}

Result<HostCost> RunMeasurer::cost(const graph::Program& program) {
    // Costs of different moments are compared: all are of the last size.
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
    ESPER_TRY(auto cost, run_.cost(*program()));
    run_.flops.measuring += forward_flops(cost, passed);
    return {};
}

// A last batch of another size would have to be recorded for itself.
std::int64_t RunMeasurer::whole_batches(std::int64_t examples) const {
    const std::int64_t size = batch_size(run_.config);
    return std::min(probe_size(), (examples + size - 1) / size * size);
}

std::int64_t RunMeasurer::first_round(std::int64_t smallest) const {
    return whole_batches(tamiyo::next_round({}, {.n0 = smallest}, probe_size()));
}

Status RunMeasurer::refuse(const std::string& what, double cost, Moment now, nlohmann::json detail,
                           double kept) {
    detail["what"] = what;
    detail["cost"] = cost;
    detail["balance"] = account_.balance() - kept;
    return run_.event("refused", now, std::move(detail));
}

// Walks all sides through the probe set in rounds, until the last two of them differ clearly or
// cannot come to do so. Whether the account ended it before.
Result<bool> RunMeasurer::walk(const std::vector<ProbeSide*>& sides, const tamiyo::GateSpec& spec,
                               Moment now) {
    const auto order = std::span<const std::uint32_t>(probe_order_);
    std::int64_t walked = 0;
    while (true) {
        const auto d = differences(*sides[sides.size() - 2], *sides.back());
        const auto wanted = tamiyo::next_round(d, spec, probe_size());
        if (wanted == 0) return false;
        const auto next = whole_batches(wanted);
        double cost = 0;
        for (auto* side : sides) {
            ESPER_TRY(const auto one, side->cost(next - walked, run_.dataset.info()));
            cost += one;
        }
        if (walked > 0 && !account_.can_pay(cost)) return true;
        const auto these = order.subspan(static_cast<std::size_t>(walked),
                                         static_cast<std::size_t>(next - walked));
        for (auto* side : sides) {
            ESPER_TRY(const auto spent, side->walk(source(now), these));
            run_.flops.measuring += spent;
        }
        walked = next;
    }
}

namespace {

double mean(const std::vector<float>& values) {
    double sum = 0;
    for (const float v : values) sum += v;
    return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

// A keep that too few examples have confirmed waits for another look.
tamiyo::GateResult verdict_on(const std::vector<float>& d, const tamiyo::GateSpec& spec,
                              bool cut_short) {
    auto result = tamiyo::look(d, spec);
    if (cut_short && result.verdict == tamiyo::Verdict::kKeep &&
        std::ssize(d) < spec.confirmed_by * result.t)
        result.verdict = tamiyo::Verdict::kHold;
    return result;
}

}  // namespace

// Per-example loss without the seed minus loss with it, same weights, in the run's probe order.
Result<GateLooks> RunMeasurer::look(const tamiyo::LookRequest& request, Moment now) {
    auto& store = run_.learner.store();
    const auto& slot = places_.slots()[request.slot];
    const auto alpha = graph::seed_control(slot.seed);
    const bool isolated = request.stage == tamiyo::GateStage::kBeforeGraft;
    GateLooks looks;
    ESPER_CHECK_STATUS(expect(now));
    ESPER_TRY(const auto price, run_.cost(*program()));
    const double least = 2 * forward_flops(price, first_round(request.spec.n0));
    if (!account_.can_pay(least)) {
        ESPER_CHECK_STATUS(
            refuse("look", least, now, {{"seed", slot.seed}, {"anchor", slot.anchor}}));
        return looks;
    }
    ESPER_TRY(const auto blended, blended_for(places_, request));
    if (isolated) ESPER_CHECK_STATUS(settle_scale(slot, blended, least, now));
    {
        const BufferGuard leaves_no_trace(store);
        ProbeSide without(run_.learner, blended, alpha, 0);
        ProbeSide with(run_.learner, blended, alpha, 1);
        Learner* fork = nullptr;
        if (request.fork) {
            ESPER_TRY(fork, fork_for(request, now, looks));
        }
        if (fork == nullptr) {
            ESPER_TRY(looks.cut_short, walk({&without, &with}, request.spec, now));
        } else {
            const BufferGuard nor_here(fork->store());
            ProbeSide never(*fork, fork->program());
            ESPER_TRY(looks.cut_short, walk({&without, &never, &with}, request.spec, now));
            run_.flops.recording += fork->engine().take_recording_flops();
            looks.fork = verdict_on(differences(never, with), request.spec, looks.cut_short);
            auto detail = tamiyo::to_json(*looks.fork);
            detail["measured"] = true;
            detail["walked"] = never.losses().size();
            detail["loss_without"] = mean(never.losses());
            detail["loss_with"] = mean(with.losses());
            looks.fork_detail.update(detail);
        }
        looks.gate = verdict_on(differences(without, with), request.spec, looks.cut_short);
    }
    if (isolated) {
        store.remove_control(alpha);
        // What was recorded is bound to the control that has just gone.
        run_.learner.engine().keep_only({program()});
    }
    return looks;
}

// Before its first look a seed gets the size at which it helps most; the host has not met it yet.
// `look` is what the look itself will cost.
Status RunMeasurer::settle_scale(const execution::SeedSlot& slot, const graph::ProgramPtr& blended,
                                 double look, Moment now) {
    ESPER_TRY(const auto blueprint, places_.blueprint_for(slot.index, slot.blueprint));
    ESPER_TRY(const auto cost, run_.cost(*blended));
    const double price =
        forward_flops(cost, scale_examples(run_.dataset.info(), batch_size(run_.config)));
    if (!account_.can_pay(price + look))
        return refuse("scale", price, now, {{"seed", slot.seed}, {"anchor", slot.anchor}});
    ESPER_TRY(const auto scale,
              fit_scale({blended, slot.seed, blueprint, run_.config.run.seed, now.step,
                         batch_size(run_.config), train_examples(run_.config, run_.dataset)},
                        run_.learner.engine(), run_.learner.store(), run_.dataset));
    if (scale.evaluation_examples == 0) return {};
    run_.flops.measuring += forward_flops(cost, scale.evaluation_examples);
    return run_.event("scale", now,
                      {{"seed", slot.seed},
                       {"factor", scale.factor},
                       {"loss_without", scale.loss_without},
                       {"loss_with", scale.loss_with}});
}

}  // namespace esper::tolaria
