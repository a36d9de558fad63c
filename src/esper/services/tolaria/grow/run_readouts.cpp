// Gains of candidates, and the first values of a seed's last layer, of a host that we run.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "esper/program/shapes.h"
#include "esper/services/tolaria/grow/run_measurer.h"

namespace esper::tolaria {

namespace {

// A sham is there to be culled by the gate, not by the line search; and on images its features
// stand at no place of the picture, which a fit place by place needs.
bool has_fit(const blueprints::Blueprint& blueprint) {
    return !blueprint.sham && !blueprint.readout_weight.empty();
}

}  // namespace

Result<ReadoutFit> RunMeasurer::fit(std::uint32_t slot, const blueprints::Blueprint& blueprint,
                                    Moment now) {
    ReadoutRequest request;
    request.program = program();
    request.anchor = places_.slots()[slot].anchor;
    request.seed = places_.kasmina().next_seed();
    request.blueprint = blueprint;
    request.run_seed = run_.config.run.seed;
    request.step = now.step;
    request.batch_size = static_cast<std::uint32_t>(run_.config.data.batch_size);
    request.train_examples = train_examples(run_.config, run_.dataset);
    auto& engine = run_.learner.engine();
    ESPER_TRY(auto fit, fit_readout(request, engine, run_.learner.store(), run_.dataset));
    ESPER_TRY(auto cost, run_.cost(*program()));
    run_.flops.measuring +=
        training_flops(cost, fit.training_examples) + forward_flops(cost, fit.evaluation_examples);
    engine.keep_only({program()});
    ESPER_CHECK_STATUS(run_.event("readout", now,
                                  {{"anchor", request.anchor},
                                   {"blueprint", blueprint.name},
                                   {"gamma", fit.gamma},
                                   {"gain", fit.gain()},
                                   {"first_order_gain", fit.first_order_gain},
                                   {"samples", fit.samples},
                                   {"host_part_removed", fit.host_part_removed}}));
    return fit;
}

Result<double> RunMeasurer::price_of_fit(const std::string& anchor) const {
    ESPER_TRY(const auto sized, program_on(program(), run_.dataset.info()));
    ESPER_TRY(const auto types, graph::infer_types(*sized));
    ESPER_TRY(const auto cost, run_.cost(*program()));
    const auto expected =
        expected_fit(types[program()->find_anchor(anchor)->value.value()], run_.dataset.info(),
                     static_cast<std::uint32_t>(run_.config.data.batch_size));
    return training_flops(cost, expected.training_examples) +
           forward_flops(cost, expected.evaluation_examples);
}

// The fits of candidates leave what the best of them needs to live.
Status RunMeasurer::measure(const std::vector<tamiyo::Candidate*>& nominees, Moment now) {
    fits_.clear();
    ESPER_CHECK_STATUS(expect(now));
    ESPER_TRY(const auto life, price_of_life());
    for (auto* candidate : nominees) {
        ESPER_TRY(auto blueprint, places_.blueprint_for(candidate->slot, candidate->blueprint));
        if (!has_fit(blueprint)) continue;
        const auto& anchor = places_.slots()[candidate->slot].anchor;
        ESPER_TRY(const auto price, price_of_fit(anchor));
        const double kept = life.set_aside + life.one;
        if (!account_.can_pay(price + kept)) {
            ESPER_CHECK_STATUS(refuse("candidate", price, now,
                                      {{"anchor", anchor}, {"blueprint", candidate->blueprint}},
                                      kept));
            break;
        }
        ESPER_TRY(auto found, fit(candidate->slot, blueprint, now));
        candidate->predicted_gain = found.gain();
        fits_[{candidate->slot, candidate->blueprint}] = std::move(found);
    }
    return {};
}

// What growth.readout asks for. A pair that the tournament did not measure is fitted now.
Result<FirstReadout> RunMeasurer::first_readout(std::uint32_t slot,
                                                const blueprints::Blueprint& blueprint,
                                                Moment now) {
    FirstReadout readout;
    const auto wanted = run_.config.growth.readout;
    if (!has_fit(blueprint) || wanted == configs::Readout::kRandom) return readout;
    readout.zero = wanted == configs::Readout::kZero;
    if (readout.zero) return readout;
    auto known = fits_.find({slot, blueprint.name});
    if (known == fits_.end()) {
        const auto& anchor = places_.slots()[slot].anchor;
        ESPER_CHECK_STATUS(expect(now));
        ESPER_TRY(const auto price, price_of_fit(anchor));
        if (!account_.can_pay(price)) {
            ESPER_CHECK_STATUS(refuse("candidate", price, now,
                                      {{"anchor", anchor}, {"blueprint", blueprint.name}}));
            return readout;
        }
        ESPER_TRY(auto made, fit(slot, blueprint, now));
        known = fits_.emplace(std::pair(slot, blueprint.name), std::move(made)).first;
    }
    readout.rejected = known->second.gamma == 0;
    if (!readout.rejected) readout.weight = known->second.weight;
    return readout;
}

}  // namespace esper::tolaria
