#include "esper/services/tolaria/run/planned_cost.h"

#include <algorithm>
#include <cmath>

#include "esper/services/tolaria/host/growing_images.h"
#include "esper/services/tolaria/host/setup.h"

namespace esper::tolaria {

namespace {

/// The first step at the next size: where the share of what the steps before it took of `whole`
/// reaches `end`. Each takes `each`, `spent` was taken before `step`.
std::int64_t first_after(double end, double whole, std::int64_t step, double spent, double each) {
    const auto share = [&](std::int64_t n) {
        return (spent + static_cast<double>(n) * each) / whole;
    };
    auto n = std::max<std::int64_t>(0, std::llround((end * whole - spent) / each));
    while (n > 0 && share(n - 1) >= end) --n;
    while (share(n) < end) ++n;
    return step + n;
}

/// The last step + 1 of each size.
std::vector<std::int64_t> ends_of(const std::vector<SizeCost>& costs, const RunLength& length,
                                  double budget, std::int64_t examples) {
    std::vector<std::int64_t> ends;
    std::int64_t step = 0;
    double spent = 0;
    for (std::size_t i = 0; i + 1 < costs.size(); ++i) {
        const double each = budget > 0 ? training_flops(costs[i].cost, examples) : 1;
        const double whole = budget > 0 ? budget : static_cast<double>(length.total_steps);
        const auto end = first_after(costs[i + 1].from, whole, step, spent, each);
        spent += static_cast<double>(end - step) * each;
        step = end;
        ends.push_back(std::min(end, length.total_steps));
    }
    ends.push_back(length.total_steps);
    return ends;
}

}  // namespace

Result<Flops> planned_cost(const configs::EsperConfig& config, const Dataset& data,
                           const graph::ProgramPtr& host) {
    ESPER_TRY(const auto costs, size_costs(config, data.info(), *host));
    ESPER_TRY(const auto length, planned_length(config, data, host));
    const auto examples = examples_a_step(config, data);
    Flops planned;
    planned.test = forward_flops(costs.back().cost, data.size(Part::kTest));
    const auto budget = configs::Budget::of_text(config.run.budget);
    if (length.total_steps == 0) return planned;
    const auto ends = ends_of(costs, length, budget.is_set() ? budget.amount : 0, examples);
    std::int64_t step = 0, epochs = 0;
    for (std::size_t i = 0; i < ends.size(); ++i) {
        planned.training += training_flops(costs[i].cost, examples * (ends[i] - step));
        step = ends[i];
        const auto validated = i + 1 < ends.size()
                                   ? step / length.steps_per_epoch
                                   : (step + length.steps_per_epoch - 1) / length.steps_per_epoch;
        planned.validation += forward_flops(
            costs[i].cost, std::int64_t{data.size(Part::kValidation)} * (validated - epochs));
        epochs = validated;
    }
    return planned;
}

}  // namespace esper::tolaria
