#include "esper/services/tolaria/run/spike_detector.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace esper::tolaria {

namespace {

// A low loss is noisy against its own size: three times the mean alone would be a false alarm.
constexpr double kDeviations = 6;

}  // namespace

std::optional<SpikeDetector::Spike> SpikeDetector::take(double loss) {
    const double deviation = std::sqrt(variance_);
    if (seen_ >= config_.spike_window && loss > config_.spike_factor * mean_ &&
        loss > mean_ + kDeviations * deviation)
        return Spike{loss, mean_, deviation};
    ++seen_;
    const double weight = std::max(2.0 / static_cast<double>(config_.spike_window + 1),
                                   1.0 / static_cast<double>(seen_));
    const double off = loss - mean_;
    mean_ += weight * off;
    variance_ = (1 - weight) * (variance_ + weight * off * off);
    return std::nullopt;
}

nlohmann::json SpikeDetector::save() const { return {seen_, mean_, variance_}; }

void SpikeDetector::restore(const nlohmann::json& state) {
    seen_ = state.at(0).get<std::int64_t>();
    mean_ = state.at(1).get<double>();
    variance_ = state.at(2).get<double>();
}

}  // namespace esper::tolaria
