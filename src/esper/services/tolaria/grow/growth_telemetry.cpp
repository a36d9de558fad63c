// What growth reports of its slots: sampled in training steps, shown to the controller, written
// down once an epoch.

#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/services/tolaria/grow/growth.h"

namespace esper::tolaria {

Result<StepResult> Growth::train(const std::vector<at::Tensor>& batch, std::int64_t step) {
    if (!health_->is_sampled(step)) return context_.engine.train(program(), context_.store, batch);
    std::vector<graph::ValueId> values;
    for (const auto& slot : kasmina_->slots())
        values.push_back(program()->find_anchor(slot.anchor)->value);
    ESPER_TRY(auto result, context_.engine.train(program(), context_.store, batch, values, values));
    // A pass that went wrong is taken back and says nothing of the slots.
    const bool is_valid = std::isfinite(result.loss);
    for (const auto& slot : kasmina_->slots()) {
        if (!is_valid) break;
        const auto& value = result.taps[slot.index];
        if (!value.defined() || !value.is_floating_point()) continue;
        const auto& chunk = chunks_[slot.index];
        health_->add(slot.index, value, result.gradient_taps[slot.index], chunk.begin,
                     chunk.end - chunk.begin);
        // Sum, square, largest, comparison with zero; half of it for the gradient.
        flops_ += 6.0 * static_cast<double>(value.numel());
    }
    result.taps.clear();
    result.gradient_taps.clear();
    return result;
}

Status Growth::report_health(std::int64_t step) {
    const auto number = [](const std::optional<double>& v) {
        return v ? nlohmann::json(*v) : nlohmann::json(nullptr);
    };
    for (const auto& slot : kasmina_->slots()) {
        const auto signals = health_->signals(slot.index);
        ESPER_CHECK_STATUS(
            context_.folder.event("health", step, step / context_.length.steps_per_epoch,
                                  {{"slot", slot.index},
                                   {"anchor", slot.anchor},
                                   {"seed", slot.seed},
                                   {"state", contracts::to_text(kasmina_->state(slot.index))},
                                   {"samples", health_->samples(slot.index)},
                                   {"activation_variance", number(signals.activation_variance)},
                                   {"dead_ratio", number(signals.dead_ratio)},
                                   {"gradient_norm", number(signals.gradient_norm)}}));
    }
    return {};
}

}  // namespace esper::tolaria
