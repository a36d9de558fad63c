// How a seed comes into the network: its blueprint, and the first values of its last layer.

#include <nlohmann/json.hpp>

#include "esper/services/tolaria/grow/growth.h"
#include "esper/services/tolaria/learn/text_samples.h"

namespace esper::tolaria {

Status Growth::before_germination(std::int64_t step) {
    if (counts_.germinated > 0) return {};
    ESPER_TRY(const auto flops,
              record_sample({context_.engine, program(), context_.store, context_.dataset.info(),
                             context_.folder},
                            context_.config, "before the first growth", step, epoch_of(step)));
    flops_ += flops;
    return {};
}

Status Growth::plant(const tamiyo::Decision& d, const blueprints::Blueprint& blueprint,
                     std::int64_t step) {
    const auto seed = kasmina_->next_seed();
    ESPER_TRY(auto readout, first_readout(d, blueprint, step));
    if (readout.rejected) {
        return event(
            "rejected", step,
            {{"anchor", d.anchor},
             {"blueprint", d.blueprint},
             {"reason", "no scale of its fitted last layer lowers the loss on held-out batches"}});
    }
    ESPER_CHECK_STATUS(germinate(d, blueprint, step));
    set_readout("seed." + seed + ".", blueprint, readout);
    return {};
}

// What growth.readout asks for. A pair that the tournament did not measure is fitted now.
Result<Growth::FirstReadout> Growth::first_readout(const tamiyo::Decision& d,
                                                   const blueprints::Blueprint& blueprint,
                                                   std::int64_t step) {
    FirstReadout readout;
    const auto wanted = context_.config.growth.readout;
    if (!has_fit(blueprint) || wanted == configs::Readout::kRandom) return readout;
    readout.zero = wanted == configs::Readout::kZero;
    if (readout.zero) return readout;
    const auto known = fits_.find({d.slot, d.blueprint});
    if (known == fits_.end()) {
        ESPER_TRY(readout.fit, fit(d.slot, blueprint, step));
    } else {
        readout.fit = known->second;
    }
    readout.rejected = readout.fit->gamma == 0;
    if (readout.fit->gamma == 0) readout.fit.reset();
    return readout;
}

void Growth::set_readout(const std::string& prefix, const blueprints::Blueprint& blueprint,
                         const FirstReadout& readout) {
    const auto* weight = context_.store.find_parameter(prefix + blueprint.readout_weight);
    if (weight == nullptr) return;
    auto value = weight->value;
    if (readout.fit) value.copy_(readout.fit->weight);
    if (!readout.zero) return;
    value.zero_();
    const auto* bias = blueprint.readout_bias.empty()
                           ? nullptr
                           : context_.store.find_parameter(prefix + blueprint.readout_bias);
    if (bias != nullptr) {
        auto offset = bias->value;
        offset.zero_();
    }
}

}  // namespace esper::tolaria
