#include "esper/services/tamiyo/growing_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "esper/services/tamiyo/state_json.h"

namespace esper::tamiyo {
namespace {

/// Largest number of alternatives that a decision lists.
constexpr std::size_t kMostAlternatives = 10;

std::vector<Alternative> others(const ControllerView& view, const std::vector<Entrant>& entrants,
                                std::size_t but) {
    std::vector<Alternative> list;
    for (const Entrant& entrant : entrants) {
        if (entrant.candidate == but || list.size() == kMostAlternatives) continue;
        const Candidate& c = view.candidates[entrant.candidate];
        const SlotView* slot = view.slot(c.slot);
        list.push_back({slot ? slot->anchor : "", c.blueprint, entrant.score});
    }
    return list;
}

}  // namespace

GrowingPolicy::GrowingPolicy(const configs::GrowthConfig& growth,
                             const configs::ControllerConfig& controller, const RunShape& run)
    : config_(controller),
      run_(run),
      admission_(growth, run),
      tournament_(growth, controller, run.seed),
      health_(run.health_ema) {}

std::vector<std::size_t> GrowingPolicy::nominees(const ControllerView& view) const {
    if (!measures() || admission_.room(view).seeds == 0 || !when(view).yes) return {};
    return tournament_.nominate(view, [this](std::uint32_t slot) { return health_.health(slot); });
}

void GrowingPolicy::observe(const ControllerView& view) {
    tournament_.observe(view);
    if (std::ranges::any_of(view.candidates,
                            [](const Candidate& c) { return c.predicted_gain.has_value(); })) {
        measured_at_ = view.step;
    }
    for (const SlotView& slot : view.slots) {
        if (contracts::is_blended(slot.state) && slot.state != SeedState::kFossilized) {
            blended_epoch_ = view.epoch;
        }
    }
    // Averages include each epoch once, even if `decide` is called several times at its boundary.
    if (view.epoch == seen_epoch_) return;
    seen_epoch_ = view.epoch;
    health_.observe(view);
}

std::vector<Decision> GrowingPolicy::decide(const ControllerView& view) {
    const Answer moment = when(view);
    observe(view);
    waiting_for_.clear();
    const Admission::Room room = admission_.room(view);
    if (room.seeds == 0) {
        waiting_for_ = room.why_none;
        return {};
    }
    if (!moment.yes) {
        waiting_for_ = moment.why;
        return {};
    }
    const std::vector<Entrant> entrants = line_up(view);
    std::vector<Decision> decisions;
    std::set<std::uint32_t> taken;
    double flops_ratio = view.flops_ratio;
    const Trend now = trend(view);
    // Entrants without a measured gain are alike to a policy: when one is refused, all are.
    bool refuses_unmeasured = false;
    for (const Entrant& entrant : entrants) {
        if (static_cast<int>(decisions.size()) == room.seeds) break;
        const Candidate& c = view.candidates[entrant.candidate];
        if (refuses_unmeasured && !entrant.score && !c.sham) continue;
        const SlotView* slot = view.slot(c.slot);
        if (!slot || taken.contains(c.slot)) continue;
        const double flops = flops_ratio + view.flops_ratio * c.relative_flops;
        if (!tournament_.affordable(flops)) continue;
        Answer answer = whether(view, entrant, moment, now);
        if (!answer.yes) {
            refuses_unmeasured |= !entrant.score && !c.sham;
            if (waiting_for_.empty()) waiting_for_ = std::move(answer.why);
            continue;
        }
        flops_ratio = flops;
        taken.insert(c.slot);
        Decision decision{.command = AdaptationCommand::kGerminate,
                          .slot = c.slot,
                          .seed = slot->seed,
                          .anchor = slot->anchor,
                          .blueprint = c.blueprint,
                          .reason = std::move(answer.why),
                          .evidence = std::move(answer.evidence),
                          .alternatives = others(view, entrants, entrant.candidate)};
        if (c.predicted_gain) decision.evidence["predicted_gain"] = *c.predicted_gain;
        if (entrant.score) decision.evidence["score"] = *entrant.score;
        decision.evidence["relative_flops"] = c.relative_flops;
        decision.evidence["flops_ratio_after"] = flops;
        if (const auto health = health_.health(c.slot)) decision.evidence["health"] = *health;
        decisions.push_back(std::move(decision));
        admission_.germinated(view);
        tournament_.germinated();
    }
    if (!decisions.empty()) {
        waiting_for_.clear();
    } else if (waiting_for_.empty()) {
        waiting_for_ = "no blueprint may germinate at any dormant slot";
    }
    return decisions;
}

GrowingPolicy::Answer GrowingPolicy::whether(const ControllerView&, const Entrant&,
                                             const Answer& moment, const Trend&) const {
    return moment;
}

std::vector<Entrant> GrowingPolicy::line_up(const ControllerView& view) const {
    return tournament_.rank(view);
}

Trend GrowingPolicy::trend(const ControllerView& view) const {
    const auto all = std::span(view.validation_loss);
    std::size_t fresh = all.size();
    if (blended_epoch_ >= 0) {
        fresh = std::min(fresh, static_cast<std::size_t>(
                                    std::max<std::int64_t>(view.epoch - blended_epoch_ + 1, 0)));
    }
    return loss_trend(all.last(fresh), static_cast<std::size_t>(config_.plateau.patience),
                      config_.plateau.threshold);
}

GrowingPolicy::Answer GrowingPolicy::plateau(const Trend& t) const {
    if (!t.plateau) return {false, "too few epochs measured to tell a plateau"};
    Answer answer{
        *t.plateau,
        "",
        {{"relative_gain_per_epoch", *t.relative_gain}, {"loss_slope_per_epoch", *t.slope}}};
    answer.why = fmt::format(
        "over {} epochs the validation loss fell by {:.3g} % an epoch, {} the {:.3g} % that count "
        "as progress",
        config_.plateau.patience, 100 * *t.relative_gain, *t.plateau ? "less than" : "at least",
        100 * config_.plateau.threshold);
    return answer;
}

nlohmann::json GrowingPolicy::save() const {
    return {
        {"policy", name()},
        {"admission", admission_.save()},
        {"tournament", tournament_.save()},
        {"health", health_.save()},
        {"seen_epoch", seen_epoch_},
        {"blended_epoch", blended_epoch_},
        {"measured_at", measured_at_ ? nlohmann::json(*measured_at_) : nlohmann::json(nullptr)}};
}

Status GrowingPolicy::restore(const nlohmann::json& state) {
    Admission admission = admission_;
    Tournament tournament = tournament_;
    HealthAnalyzer health = health_;
    Status parts;
    ESPER_CHECK_STATUS(restore_guarded("the policy", [&] {
        if (const auto saved = state.at("policy").get<std::string>(); saved != name()) {
            parts = fail(TamiyoError::kBadState,
                         fmt::format("the checkpoint was made under controller.policy {}, this run "
                                     "has {}: resume with the same policy",
                                     saved, name()));
            return;
        }
        parts = admission.restore(state.at("admission"));
        if (parts) parts = tournament.restore(state.at("tournament"));
        if (parts) parts = health.restore(state.at("health"));
        if (!parts) return;
        const auto& at = state.at("measured_at");
        const auto measured = at.is_null() ? std::nullopt : std::optional(at.get<std::int64_t>());
        const auto seen = state.at("seen_epoch").get<std::int64_t>();
        blended_epoch_ = state.at("blended_epoch").get<std::int64_t>();
        seen_epoch_ = seen;
        measured_at_ = measured;
        admission_ = std::move(admission);
        tournament_ = std::move(tournament);
        health_ = std::move(health);
    }));
    return parts;
}

}  // namespace esper::tamiyo
