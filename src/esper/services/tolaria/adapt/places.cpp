#include "esper/services/tolaria/adapt/places.h"

#include <fmt/format.h>

#include <algorithm>

#include "esper/base/text.h"
#include "esper/blueprints/adapter.h"
#include "esper/program/anchor_types.h"
#include "esper/program/cost/cost.h"
#include "esper/services/tolaria/adapt/adapt_errors.h"
#include "esper/services/tolaria/grow/readout.h"
#include "esper/services/tolaria/learn/flops.h"

namespace esper::tolaria {

namespace {

// Units that a trial has at most: enough to tell places apart, few enough to be fitted on two
// batches.
constexpr std::int64_t kTrialUnits = 96;
constexpr std::uint32_t kFitExamples = 32;  // of a batch; more batches where they have few rows
constexpr double kNearly = 0.8;             // of the best gain
constexpr double kManySteps = 300;  // of training: fewer are best spent where they are cheapest

Result<PlaceGain> gain_at(const PlaceSearch& search, const AdapterPart& part, Engine& engine,
                          graph::TensorStore& store, const Dataset& data,
                          const std::function<void(double)>& charge) {
    const auto* anchor = search.frozen->find_anchor(part.anchor);
    ESPER_TRY(const auto types, graph::anchor_types(*search.frozen));
    const auto at = static_cast<std::size_t>(anchor - search.frozen->anchors().data());
    ESPER_TRY(auto blueprint,
              blueprints::make_adapter(part.blueprint, *anchor, types[at], part.width));
    ReadoutRequest request;
    request.program = search.frozen;
    request.anchor = part.anchor;
    request.seed = kAdapterSeed;
    request.blueprint = std::move(blueprint);
    request.run_seed = search.seed;
    request.batch_size = std::min(search.batch_size, kFitExamples);
    request.least_batches = 1;
    request.least_rows = 1000;
    request.held_out_examples = search.batch_size;
    request.removes_host_part = false;
    ESPER_TRY(const auto fit, fit_readout(request, engine, store, data));
    ESPER_TRY(const auto program, with_adapter(*search.frozen, part));
    ESPER_TRY(const auto cost, graph::count_cost(*program));
    charge(training_flops(cost, fit.training_examples) +
           forward_flops(cost, fit.evaluation_examples));
    return PlaceGain{part.anchor, part.blueprint, fit.gain()};
}

}  // namespace

PlaceGain chosen(const std::vector<PlaceGain>& gains, const graph::Program& host,
                 std::optional<double> steps) {
    const auto anchors = host.anchors();
    const auto depth = [&](const PlaceGain& place) {
        return host.find_anchor(place.anchor) - anchors.data();
    };
    const auto last = std::ssize(anchors) - 1;
    const auto is_near = [&](const PlaceGain& place) {
        return place.gain >= kNearly * gains.front().gain;
    };
    auto best = gains.front();
    const bool lowest = best.blueprint == "wide_mixer" && steps.value_or(kManySteps) >= kManySteps;
    for (const auto& place : gains) {
        if (!is_near(place)) continue;
        if (lowest) {
            if (depth(place) < depth(best)) best = place;
            continue;
        }
        if (depth(place) == 0 || depth(place) == last) continue;
        const bool best_is_inner = depth(best) > 0 && depth(best) < last;
        if (!best_is_inner || depth(place) > depth(best)) best = place;
    }
    return best;
}

Result<AdapterPart> sized_part(const graph::Anchor& anchor, const std::string& blueprint,
                               std::int64_t parameters) {
    AdapterPart part{anchor.name, anchor.kind, anchor.features, blueprint, 1};
    part.width = width_for(part, parameters);
    if (part.width < 1)
        return fail(AdaptError::kTooFewParameters,
                    fmt::format("{} parameters are too few: one hidden unit of {} at '{}' has {}; "
                                "give a larger --parameters",
                                parameters, blueprint, anchor.name, 2 * anchor.features));
    return part;
}

Result<std::vector<PlaceGain>> place_gains(const PlaceSearch& search, Engine& engine,
                                           graph::TensorStore& store, const Dataset& data,
                                           const std::function<void(double)>& charge) {
    std::vector<PlaceGain> gains;
    std::vector<std::string> names;
    for (const auto& anchor : search.frozen->anchors()) {
        names.push_back(anchor.name);
        if (!search.anchors.empty() && !glob_match_any(search.anchors, anchor.name)) continue;
        for (const auto blueprint : blueprints::adapters_to_try(anchor.kind)) {
            ESPER_TRY(auto part, sized_part(anchor, std::string(blueprint), search.parameters));
            part.width = std::min(part.width, kTrialUnits);
            ESPER_TRY(auto gain, gain_at(search, part, engine, store, data, charge));
            gains.push_back(std::move(gain));
        }
    }
    if (gains.empty())
        return fail(graph::GraphError::kUnknownName,
                    fmt::format("no anchor of the network matches {}; it has: {}",
                                join(search.anchors, ", "), join(names, ", ")));
    std::ranges::stable_sort(gains, std::greater{}, &PlaceGain::gain);
    return gains;
}

}  // namespace esper::tolaria
