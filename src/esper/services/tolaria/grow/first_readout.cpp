#include "esper/services/tolaria/grow/first_readout.h"

#include "esper/program/edits/seed_names.h"

namespace esper::tolaria {

void write_first_readout(const graph::TensorStore& store, const std::string& seed,
                         const blueprints::Blueprint& blueprint, const FirstReadout& readout) {
    const auto prefix = graph::seed_prefix(seed);
    const auto* weight = store.find_parameter(prefix + blueprint.readout_weight);
    if (weight == nullptr) return;
    auto value = weight->value;
    if (readout.weight) value.copy_(*readout.weight);
    if (!readout.zero) return;
    value.zero_();
    if (blueprint.readout_bias.empty()) return;
    if (const auto* bias = store.find_parameter(prefix + blueprint.readout_bias)) {
        auto offset = bias->value;
        offset.zero_();
    }
}

}  // namespace esper::tolaria
