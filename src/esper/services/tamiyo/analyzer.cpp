#include "esper/services/tamiyo/analyzer.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/services/tamiyo/state_json.h"
#include "esper/services/tamiyo/trend.h"

namespace esper::tamiyo {
namespace {

void smooth(std::optional<double>& average, const std::optional<double>& value, double weight) {
    if (!value || !std::isfinite(*value)) return;
    average = average ? *average + weight * (*value - *average) : *value;
}

/// 1 if both are equal, 0 if they differ by a factor of a thousand.
double nearness(double value, double middle) {
    constexpr double kTiny = 1e-30;
    const double orders = std::log10((std::abs(value) + kTiny) / (std::abs(middle) + kTiny));
    return std::clamp(1.0 - std::abs(orders) / 3.0, 0.0, 1.0);
}

}  // namespace

void HealthAnalyzer::observe(const ControllerView& view) {
    slots_.resize(std::max(slots_.size(), view.slots.size()));
    for (std::size_t i = 0; i < view.slots.size(); ++i) {
        const SlotSignals& signals = view.slots[i].signals;
        smooth(slots_[i].variance, signals.activation_variance, smoothing_);
        smooth(slots_[i].dead, signals.dead_ratio, smoothing_);
        smooth(slots_[i].gradient, signals.gradient_norm, smoothing_);
    }
    score();
}

void HealthAnalyzer::score() {
    std::vector<double> variances;
    std::vector<double> gradients;
    for (const Averages& slot : slots_) {
        if (slot.variance) variances.push_back(*slot.variance);
        if (slot.gradient) gradients.push_back(*slot.gradient);
    }
    const auto middle_variance = median(std::move(variances));
    const auto middle_gradient = median(std::move(gradients));
    health_.assign(slots_.size(), std::nullopt);
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        double sum = 0;
        int parts = 0;
        const auto add = [&](double part) {
            sum += part;
            ++parts;
        };
        if (slots_[i].dead) add(std::clamp(1.0 - *slots_[i].dead, 0.0, 1.0));
        if (slots_[i].variance) add(nearness(*slots_[i].variance, *middle_variance));
        if (slots_[i].gradient) add(nearness(*slots_[i].gradient, *middle_gradient));
        if (parts > 0) health_[i] = sum / parts;
    }
}

std::optional<double> HealthAnalyzer::health(std::uint32_t slot) const {
    return slot < health_.size() ? health_[slot] : std::nullopt;
}

contracts::HealthVerdict HealthAnalyzer::verdict(double health) {
    using contracts::HealthVerdict;
    if (health >= 0.8) return HealthVerdict::kHealthy;
    return health >= 0.6 ? HealthVerdict::kWarning : HealthVerdict::kCritical;
}

nlohmann::json HealthAnalyzer::save() const {
    nlohmann::json slots = nlohmann::json::array();
    for (const Averages& slot : slots_) {
        slots.push_back(
            {optional_json(slot.variance), optional_json(slot.dead), optional_json(slot.gradient)});
    }
    return {{"slots", slots}};
}

Status HealthAnalyzer::restore(const nlohmann::json& state) {
    return restore_guarded("the health analyzer", [&] {
        std::vector<Averages> slots;
        for (const auto& entry : state.at("slots")) {
            slots.push_back({optional_number(entry.at(0)), optional_number(entry.at(1)),
                             optional_number(entry.at(2))});
        }
        slots_ = std::move(slots);
        score();
    });
}

}  // namespace esper::tamiyo
