#include <fmt/format.h>

#include <algorithm>

#include "esper/services/tamiyo/growing_policy.h"

namespace esper::tamiyo {
namespace {

/// Grows when growing saves more loss per FLOP than training. A pair with a measured gain
/// germinates when
///   the validation loss is stuck, or
///   its gain is at least what the same FLOPs would save in more steps at the loss's present slope
///   (an estimate in favour of steps, since slopes flatten), or
///   half of the window for growth is over (late growth has too little time to pay).
/// A pair without a measured gain germinates only when the loss is stuck.
class HeuristicPolicy final : public GrowingPolicy {
  public:
    using GrowingPolicy::GrowingPolicy;
    std::string_view name() const override { return "heuristic"; }

  private:
    std::int64_t middle() const {
        return (admission().window_start() + admission().window_stop()) / 2;
    }

    bool has_slope(const ControllerView& view) const {
        const Trend now = trend(view);
        return now.slope && now.plateau;
    }

    /// Gains are measured at most once a period while the loss still falls: measuring costs passes
    /// over data.
    Answer when(const ControllerView& view) const override {
        Answer stuck = plateau(trend(view));
        if (stuck.yes) return stuck;
        // No gain could be compared with what more steps would bring.
        if (view.step < middle() && !has_slope(view))
            return {false, "too few epochs are measured to know what more steps would bring",
                    std::move(stuck.evidence)};
        const std::int64_t pause = steps_of(config().period, run());
        const auto measured = measured_at();
        if (!measured || *measured == view.step || view.step >= *measured + pause) {
            return {true, "", std::move(stuck.evidence)};
        }
        return {
            false,
            fmt::format("{}; gains are measured again at step {}", stuck.why, *measured + pause),
            std::move(stuck.evidence)};
    }

    Answer whether(const ControllerView& view, const Entrant& entrant, const Answer& moment,
                   const Trend& now) const override {
        const Candidate& c = view.candidates[entrant.candidate];
        Answer answer{true, moment.why, moment.evidence};
        if (now.plateau.value_or(false)) return answer;
        if (c.sham) {
            answer.why = "it is a sham's turn to try the gate";
            return answer;
        }
        if (!c.predicted_gain) {
            return {false, "no gain is measured, and the validation loss is not stuck"};
        }
        if (view.step >= middle()) {
            answer.why = fmt::format(
                "half of the window for growth is over (step {}) and a gain of {:.3g} is predicted",
                middle(), *c.predicted_gain);
            return answer;
        }
        if (!now.slope || !now.plateau) {
            return {false, "too few epochs are measured to know what more steps would bring"};
        }
        const double epochs_left =
            static_cast<double>(view.total_steps - view.step) /
            static_cast<double>(std::max<std::int64_t>(run().steps_per_epoch, 1));
        const double by_steps = std::max(0.0, -*now.slope) * c.relative_flops * epochs_left;
        answer.evidence["gain_by_more_steps"] = by_steps;
        answer.yes = *c.predicted_gain >= by_steps;
        answer.why = fmt::format(
            "the gain predicted is {:.3g}, and {:.3g} if its FLOPs were spent on more steps",
            *c.predicted_gain, by_steps);
        return answer;
    }
};

}  // namespace

std::unique_ptr<Policy> make_heuristic_policy(const configs::GrowthConfig& growth,
                                              const configs::ControllerConfig& controller,
                                              const RunShape& run) {
    return std::make_unique<HeuristicPolicy>(growth, controller, run);
}

}  // namespace esper::tamiyo
