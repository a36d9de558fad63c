// What the life of another seed costs, and what the account can pay for.

#include "esper/services/tolaria/grow/measuring_account.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "esper/base/text.h"
#include "esper/program/edits/edits.h"
#include "esper/services/tamiyo/life_steps.h"
#include "esper/services/tolaria/grow/run_measurer.h"
#include "esper/services/tolaria/grow/seed_scale.h"

namespace esper::tolaria {

using execution::SeedState;

namespace {

// Looks that a seed in this state still needs, if no gate has to look twice.
int looks_left(SeedState state, bool fine_tunes) {
    switch (state) {
        case SeedState::kGerminated:
        case SeedState::kLoading:
        case SeedState::kTraining:
            return fine_tunes ? 3 : 2;
        case SeedState::kGrafting:
        case SeedState::kStabilization:
        case SeedState::kEvaluating:
            return fine_tunes ? 2 : 1;
        case SeedState::kFineTuning:
            return 1;
        default:
            return 0;
    }
}

tamiyo::LifeSteps steps_of_life(const GrowingRun& run) {
    return tamiyo::life_steps(
        run.config.growth, {run.config.run.seed, run.length.steps_per_epoch, run.length.total_steps,
                            run.config.telemetry.health_ema});
}

}  // namespace

// FLOPs of one example's second pass for a seed in a shadow, at the first place where one could
// germinate: the earlier the place, the longer the pass.
Result<double> RunMeasurer::second_pass() {
    if (run_.config.growth.isolation != configs::Isolation::kShadow) return 0;
    if (priced_ == program() && priced_stage_ == run_.dataset.stage()) return second_pass_;
    for (const auto& slot : places_.slots()) {
        if (places_.state(slot.index) != SeedState::kDormant) continue;
        const auto* anchor = program()->find_anchor(slot.anchor);
        const auto names = blueprints::blueprint_names(anchor->kind, false);
        if (names.empty()) continue;
        ESPER_TRY(const auto blueprint, places_.blueprint_for(slot.index, names.front()));
        ESPER_TRY(
            const auto with,
            graph::apply(*program(), graph::InsertSeed{places_.kasmina().next_seed(), slot.anchor,
                                                       names.front(), blueprint.program}));
        ESPER_TRY(const auto before, run_.learner.engine().as_trained(program()));
        ESPER_TRY(const auto after, run_.learner.engine().as_trained(with));
        ESPER_TRY(const auto before_cost, run_.cost(*before));
        ESPER_TRY(const auto after_cost, run_.cost(*after));
        ESPER_TRY(const auto alone, run_.cost(*program()));
        ESPER_TRY(const auto with_alone, run_.cost(*with));
        second_pass_ = training_flops(after_cost, 1) - training_flops(before_cost, 1) -
                       (training_flops(with_alone, 1) - training_flops(alone, 1));
        priced_ = program();
        priced_stage_ = run_.dataset.stage();
        return second_pass_;
    }
    return 0;
}

Status RunMeasurer::expect(Moment now) {
    ESPER_TRY(const auto cost, run_.cost(*program()));
    const auto left = std::max<std::int64_t>(run_.course.total_steps(now.step) - now.step, 0);
    const double validation = now.step > 0 ? run_.flops.validation * static_cast<double>(left) /
                                                 static_cast<double>(now.step)
                                           : 0;
    account_.expect(training_flops(cost, left * examples_a_step(run_.config, run_.dataset)) +
                    validation);
    return {};
}

// Looks at their shortest, the last one with the rounds that confirm a keep, and the second passes
// of a seed in a shadow.
Result<RunMeasurer::LifePrice> RunMeasurer::price_of_life() {
    ESPER_TRY(const auto cost, run_.cost(*program()));
    ESPER_TRY(const auto pass, second_pass());
    const auto steps = steps_of_life(run_);
    const bool fine_tunes = steps.fine_tune > 0;
    const auto first = first_round(run_.config.growth.gate.min_examples);
    const double look = 2 * forward_flops(cost, first);
    const double last_look = 2 * forward_flops(cost, whole_batches(tamiyo::kConfirmedBy * first));
    const auto looks = [&](int n) { return n > 0 ? (n - 1) * look + last_look : 0; };
    const auto batch_size = static_cast<std::uint32_t>(run_.config.data.batch_size);
    const auto examples = static_cast<double>(examples_a_step(run_.config, run_.dataset));
    const auto shadows = [&](std::int64_t n) { return pass * static_cast<double>(n) * examples; };
    LifePrice price;
    const double scale = forward_flops(cost, scale_examples(run_.dataset.info(), batch_size));
    // A stage ends at the end of an epoch.
    const auto epoch = run_.length.steps_per_epoch;
    const auto isolated = (steps.training + epoch - 1) / epoch * epoch;
    price.one = shadows(isolated) + scale + looks(looks_left(SeedState::kGerminated, fine_tunes));
    for (const auto& slot : places_.slots()) {
        const auto state = places_.state(slot.index);
        price.set_aside += looks(looks_left(state, fine_tunes));
        if (state == SeedState::kTraining) price.set_aside += scale + shadows(isolated);
    }
    return price;
}

// A closed form is fitted before a seed germinates: a seed whose fit cannot be paid for waits.
Status RunMeasurer::price_lives(tamiyo::ControllerView& view, Moment now) {
    ESPER_CHECK_STATUS(expect(now));
    ESPER_TRY(auto price, price_of_life());
    const auto first_free =
        std::ranges::find(places_.slots(), SeedState::kDormant,
                          [&](const auto& slot) { return places_.state(slot.index); });
    if (run_.config.growth.readout == configs::Readout::kClosedForm &&
        first_free != places_.slots().end()) {
        ESPER_TRY(const auto fit, price_of_fit(first_free->anchor));
        price.one += fit;
    }
    const double left = account_.balance() - price.set_aside;
    view.affordable_seeds =
        price.one > 0 ? static_cast<int>(std::clamp(std::floor(left / price.one), 0.0, 1e6))
                      : std::numeric_limits<int>::max();
    if (view.affordable_seeds > 0) return {};
    view.account_shut = fmt::format(
        "measuring may cost {:g} % of what the run costs (growth.measure_share): that "
        "leaves {} FLOPs, and another seed's life would cost {}",
        100 * account_.share(), human_count(std::max(0.0, left)), human_count(price.one));
    return {};
}

}  // namespace esper::tolaria
