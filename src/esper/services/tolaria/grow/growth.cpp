#include "esper/services/tolaria/grow/growth.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/execution/kasmina/saved_kasmina.h"
#include "esper/program/edits/seed_names.h"

namespace esper::tolaria {

Result<std::unique_ptr<Growth>> Growth::create(GrowingRun run) {
    std::unique_ptr<Growth> growth(new Growth(std::move(run)));
    auto* g = growth.get();
    auto& r = growth->run_;
    ESPER_TRY(growth->places_,
              SeedPlaces::find(r.config.growth, r.learner.program(), r.learner.store()));
    auto& learner = r.learner;
    growth->kasmina().on_program(
        [&learner](const graph::ProgramPtr& program) { learner.adopt(program); });
    growth->splits_ = std::make_unique<BlockSplits>(r, *growth->places_);
    growth->measurer_ = std::make_unique<RunMeasurer>(r, *growth->places_);
    const auto event = [&r](const std::string& kind, Moment now, nlohmann::json detail) {
        return r.event(kind, now, std::move(detail));
    };
    growth->kernels_ = std::make_unique<RunKernels>(
        RunKernels::Run{r.config.growth.kernels,
                        std::string(contracts::to_text(r.config.run.precision)),
                        r.config.data.batch_size, r.config.growth.blueprints,
                        [g](const std::string& seed, Moment now) {
                            return g->kasmina().note_kernel_error(seed, now);
                        }},
        r.supply, r.kernels ? r.kernels : std::make_shared<graph::SeedKernels>(), event);
    const bool nothing_germinates =
        growth->splits_->is_clocked() || r.config.controller.policy == configs::Policy::kNever;
    if (!nothing_germinates) ESPER_CHECK_STATUS(growth->kernels_->begin(*growth->places_));
    const auto& config = r.config;
    const bool asks = config.controller.tournament.past_runs && config.growth.kernels;
    growth->past_ = std::make_unique<PastRuns>(asks ? r.supply : nullptr, host_kind(config), event);
    ESPER_TRY(
        growth->lives_,
        SeedLives::create({r.config, r.length, *growth->places_, *growth->measurer_, event,
                           [g](std::uint32_t slot, const blueprints::Blueprint& made, Moment now) {
                               return g->kernels_->decide(*g->places_, slot, made, now);
                           },
                           [g](graph::AnchorKind kind, const std::string& blueprint) {
                               return g->past_->is_unlikely(kind, blueprint);
                           }}));
    return growth;
}

std::vector<graph::ValueId> Growth::taps(std::int64_t step) const {
    std::vector<graph::ValueId> values;
    // The clock asks no slot how it is.
    if (splits_->is_clocked() || !measurer_->health().is_sampled(step)) return values;
    const auto& program = *places_->program();
    for (const auto& slot : places_->slots())
        values.push_back(program.find_anchor(slot.anchor)->value);
    return values;
}

void Growth::observe(const StepResult& result) {
    if (result.taps.empty()) return;
    for (const auto& slot : places_->slots()) {
        const auto& value = result.taps[slot.index];
        if (!value.defined() || !value.is_floating_point()) continue;
        const auto& chunk = places_->chunk(slot.index);
        measurer_->health().add(slot.index, value, result.gradient_taps[slot.index], chunk.begin,
                                chunk.end - chunk.begin);
        // Sum, square, largest, comparison with zero; half of it for the gradient.
        run_.flops.measuring += 6.0 * static_cast<double>(value.numel());
    }
}

Status Growth::report_health(Moment now) {
    const auto number = [](const std::optional<double>& v) {
        return v ? nlohmann::json(*v) : nlohmann::json(nullptr);
    };
    const auto& health = measurer_->health();
    const auto& controls = run_.learner.store().controls();
    for (const auto& slot : places_->slots()) {
        const auto signals = health.signals(slot.index);
        std::optional<double> alpha;
        if (const auto it = controls.find(graph::seed_control(slot.seed)); it != controls.end())
            alpha = it->second.item<double>();
        ESPER_CHECK_STATUS(run_.event("health", now,
                                      {{"slot", slot.index},
                                       {"anchor", slot.anchor},
                                       {"seed", slot.seed},
                                       {"state", contracts::to_text(places_->state(slot.index))},
                                       {"samples", health.samples(slot.index)},
                                       {"activation_variance", number(signals.activation_variance)},
                                       {"dead_ratio", number(signals.dead_ratio)},
                                       {"gradient_norm", number(signals.gradient_norm)},
                                       {"alpha", number(alpha)}}));
    }
    return {};
}

// The table's memory was overwritten by foreign code: nothing that a checkpoint of now would hold
// can be trusted.
Status Growth::check_table(Moment now) {
    const auto intact = kasmina().table().verify();
    if (intact) return {};
    ESPER_CHECK_STATUS(
        run_.event("broken_seal", now, {{"reason", std::string(intact.error().message())}}));
    return intact;
}

Status Growth::note_kernels(Moment now) {
    for (const auto& [seed, mean_us] : kernels_->latencies())
        ESPER_CHECK_STATUS(kasmina().note_kernel_use(seed, mean_us, now));
    return {};
}

Status Growth::split(const BlockSplits::Wish& wish, Moment now) {
    ESPER_CHECK_STATUS(splits_->make(wish, now));
    measurer_->health().extend(places_->slots().size());
    return {};
}

Status Growth::at_boundary(Moment now, const Losses& losses) {
    ESPER_CHECK_STATUS(check_table(now));
    ESPER_CHECK_STATUS(note_kernels(now));
    measurer_->drop_forks();
    ESPER_CHECK_STATUS(past_->ask(now));
    if (!splits_->is_clocked()) ESPER_CHECK_STATUS(report_health(now));
    ESPER_CHECK_STATUS(lives_->at_boundary(now, {losses.train.begin(), losses.train.end()},
                                           {losses.validation.begin(), losses.validation.end()}));
    measurer_->drop_forks();
    measurer_->health().reset();
    run_.learner.engine().keep_only({places_->program()});
    return {};
}

saved::Json Growth::save(Tensors& tensors) const {
    Saved state;
    state.lives = lives_->save();
    state.forks = measurer_->save_forks(tensors);
    state.health = measurer_->health().sums();
    for (const auto& [slot, activity] : activity_) state.activity.push_back(activity);
    if (!kernels_->choices().empty()) state.kernels = kernels_->save();
    if (is_paused()) state.paused = true;
    state.past = past_->save();
    if (splits_->is_clocked() || !splits_->made().empty()) state.splits = splits_->state();
    return saved::write(state);
}

// Copies of blocks have slots, too, which the host that the run began with has not.
Status Growth::restore_places(const SavedLives& lives) {
    const auto kasmina = execution::read_saved_kasmina(lives.kasmina);
    if (!kasmina)
        return fail(TolariaError::kBadCheckpoint,
                    "the checkpoint cannot be read: " + kasmina.error().message());
    std::vector<std::string> anchors;
    for (const auto& slot : kasmina->slots) anchors.push_back(slot.anchor);
    if (anchors.size() <= places_->slots().size()) return {};
    ESPER_CHECK_STATUS(places_->extend(run_.config.growth, run_.learner.program(), anchors));
    measurer_->health().extend(places_->slots().size());
    return {};
}

Status Growth::restore(const saved::Json& json, const Tensors& tensors) {
    ESPER_TRY(const auto present, upgrade_growth(json));
    ESPER_TRY(const auto state, read_growth_state<Saved>(present, "growth"));
    ESPER_CHECK_STATUS(restore_places(state.lives));
    splits_->restore(state.splits.value_or(SavedSplits{}));
    kernels_->restore(state.kernels.value_or(std::vector<SeedKernelChoice>{}));
    past_->restore(state.past);
    ESPER_CHECK_STATUS(lives_->restore(state.lives, run_.learner.program()));
    ESPER_CHECK_STATUS(measurer_->restore_forks(state.forks, tensors));
    measurer_->health().restore(state.health);
    pause(state.paused.value_or(false));
    activity_.clear();
    for (const auto& activity : state.activity) activity_[activity.slot] = activity;
    return {};
}

}  // namespace esper::tolaria
