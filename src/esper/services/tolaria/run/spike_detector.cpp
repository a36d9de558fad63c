#include "esper/services/tolaria/run/spike_detector.h"

#include <algorithm>
#include <cmath>

namespace esper::tolaria {

namespace {

// A low loss is noisy against its own size: three times the mean alone would be a false alarm.
constexpr double kDeviations = 6;

}  // namespace

std::optional<SpikeDetector::Spike> SpikeDetector::take(double loss) {
    auto& [seen, mean, variance] = state_;
    const double deviation = std::sqrt(variance);
    if (seen >= config_.spike_window && loss > config_.spike_factor * mean &&
        loss > mean + kDeviations * deviation)
        return Spike{loss, mean, deviation};
    ++seen;
    const double weight = std::max(2.0 / static_cast<double>(config_.spike_window + 1),
                                   1.0 / static_cast<double>(seen));
    const double off = loss - mean;
    mean += weight * off;
    variance = (1 - weight) * (variance + weight * off * off);
    return std::nullopt;
}

}  // namespace esper::tolaria
