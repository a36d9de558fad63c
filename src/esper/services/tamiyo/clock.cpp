#include "esper/services/tamiyo/clock.h"

#include <fmt/format.h>

#include <cmath>

#include "esper/base/text.h"

namespace esper::tamiyo {

ClockAnswer ask_clock(const configs::ClockConfig& clock, const ClockView& view) {
    const auto no = [](std::string why) { return ClockAnswer{false, std::move(why), {}}; };
    if (view.step < clock.first_step)
        return no(fmt::format("no block is split before step {} (controller.clock.first_step)",
                              clock.first_step));
    if (view.on_trial) return no("the last split is on trial");
    const double wanted = std::ldexp(clock.ratio, view.taken_back);
    const double now = view.seen / view.parameters;
    const double then = view.seen_at_end / (view.parameters + view.parameters_of_block);
    ClockAnswer answer{false,
                       "",
                       {{"examples_per_parameter", now},
                        {"final_examples_per_parameter", then},
                        {"examples_seen", view.seen},
                        {"parameters_of_blocks", view.parameters}}};
    if (now < wanted) {
        answer.why = fmt::format(
            "the blocks have seen {:.3g} examples for each of their {} parameters, and a split "
            "waits for {:.3g} (controller.clock.ratio{})",
            now, human_count(view.parameters), wanted,
            view.taken_back > 0 ? ", doubled by each split taken back" : "");
        return answer;
    }
    const auto end = fmt::format("{:.3g} for each of {} in the end", then,
                                 human_count(view.parameters + view.parameters_of_block));
    if (then < clock.final_ratio) {
        answer.why = fmt::format(
            "the run is too short for a split: the blocks would see {}, and a split wants {:.3g} "
            "(controller.clock.final_ratio)",
            end, clock.final_ratio);
        return answer;
    }
    if (!view.growth_open) {
        answer.why = view.why_shut;
        return answer;
    }
    answer.split = true;
    answer.why = fmt::format(
        "the blocks have seen {:.3g} examples for each of their {} parameters and will see {}", now,
        human_count(view.parameters), end);
    return answer;
}

}  // namespace esper::tamiyo
