#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "esper/contracts/enums.h"

/// α over time, written down a second time from growth.md, so that the code is not its own witness.
namespace esper::execution::testing_ramps {

using contracts::GraftingStrategy;

/// α after the share x of the ramp.
inline double expected_alpha(GraftingStrategy strategy, double x) {
    switch (strategy) {
        case GraftingStrategy::kLinear:
            return x;
        case GraftingStrategy::kCosine: {
            const double s = std::sin(1.5707963267948966 * x);  // (1 - cos πx) / 2 = sin² (πx/2)
            return s * s;
        }
        case GraftingStrategy::kSmoothstep:
        case GraftingStrategy::kDriftControlled:
            return 3 * x * x - 2 * x * x * x;
        case GraftingStrategy::kSigmoid:
            // A logistic from -6 to 6 stretched to [0, 1]: ½ + tanh(6x - 3) / (2 tanh 3).
            return 0.5 + std::tanh(6 * x - 3) / (2 * std::tanh(3.0));
        case GraftingStrategy::kInstant:
            return 1;
    }
    return -1;
}

/// Whether the last loss lies more than three standard deviations above the mean of those before
/// it, exponentially weighted at 0.05, of which there are at least twenty. As sums over the whole
/// past, not as a recursion.
inline bool is_drift(const std::vector<double>& losses) {
    if (losses.size() < 21) return false;
    const std::size_t n = losses.size() - 1;
    std::vector<double> weights(n);
    for (std::size_t i = 0; i < n; ++i)
        weights[i] = (i == 0 ? 1 : 0.05) * std::pow(0.95, static_cast<double>(n - 1 - i));
    double mean = 0;
    for (std::size_t i = 0; i < n; ++i) mean += weights[i] * losses[i];
    double variance = 0;
    for (std::size_t i = 0; i < n; ++i)
        variance += weights[i] * (losses[i] - mean) * (losses[i] - mean);
    return losses.back() > mean + 3 * std::sqrt(variance);
}

}  // namespace esper::execution::testing_ramps
