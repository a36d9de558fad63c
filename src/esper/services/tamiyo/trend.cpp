#include "esper/services/tamiyo/trend.h"

#include <algorithm>
#include <cmath>

namespace esper::tamiyo {

std::optional<double> median(std::vector<double> values) {
    if (values.empty()) return std::nullopt;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

std::optional<double> robust_slope(std::span<const std::optional<double>> values) {
    std::vector<double> slopes;
    for (std::size_t i = 0; i < values.size(); ++i) {
        for (std::size_t j = i + 1; j < values.size(); ++j) {
            if (!values[i] || !values[j]) continue;
            const double slope = (*values[j] - *values[i]) / static_cast<double>(j - i);
            if (std::isfinite(slope)) slopes.push_back(slope);
        }
    }
    return median(std::move(slopes));
}

Trend loss_trend(std::span<const std::optional<double>> losses, std::size_t patience,
                 double threshold) {
    patience = std::max<std::size_t>(patience, 1);
    const auto recent = losses.last(std::min(losses.size(), patience + 1));
    Trend trend;
    trend.slope = robust_slope(recent);
    const auto measured = static_cast<std::size_t>(std::count_if(
        recent.begin(), recent.end(), [](const auto& v) { return v && std::isfinite(*v); }));
    if (!trend.slope || recent.size() < patience + 1 ||
        measured < std::max<std::size_t>(patience, 2)) {
        return trend;
    }
    const auto now = std::find_if(recent.rbegin(), recent.rend(),
                                  [](const auto& v) { return v && std::isfinite(*v); });
    trend.relative_gain = -*trend.slope / std::max(std::abs(**now), 1e-12);
    trend.plateau = *trend.relative_gain < threshold;
    return trend;
}

}  // namespace esper::tamiyo
