#include "esper/execution/kasmina/kasmina_grafting.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace esper::execution {

using contracts::GraftingStrategy;

double graft_alpha(GraftingStrategy strategy, double progress) {
    const double x = std::clamp(progress, 0.0, 1.0);
    switch (strategy) {
        case GraftingStrategy::kLinear:
            return x;
        case GraftingStrategy::kCosine:
            return 0.5 * (1 - std::cos(std::numbers::pi * x));
        case GraftingStrategy::kSigmoid: {
            // A logistic from -6 to 6, stretched so that its ends are exactly 0 and 1.
            auto logistic = [](double t) { return 1 / (1 + std::exp(-t)); };
            const double low = logistic(-6);
            return (logistic(12 * x - 6) - low) / (1 - 2 * low);
        }
        case GraftingStrategy::kInstant:
            return 1;
        case GraftingStrategy::kSmoothstep:
        case GraftingStrategy::kDriftControlled:
            return x * x * (3 - 2 * x);
    }
    return x;
}

void RampClock::tick(double loss) {
    constexpr double kWeight = 0.05;
    constexpr int kSettled = 20;
    const double deviation = loss - mean_;
    const bool spike = strategy_ == GraftingStrategy::kDriftControlled && seen_ >= kSettled &&
                       deviation > 3 * std::sqrt(variance_);
    if (seen_++ == 0) {
        mean_ = loss;
    } else {
        mean_ += kWeight * deviation;
        variance_ = (1 - kWeight) * (variance_ + kWeight * deviation * deviation);
    }
    if (!spike && done_ < steps_) ++done_;
}

double RampClock::alpha() const {
    if (strategy_ == GraftingStrategy::kInstant || steps_ <= 0) return 1;
    return graft_alpha(strategy_, static_cast<double>(done_) / static_cast<double>(steps_));
}

void RampClock::restore(GraftingStrategy strategy, const State& state) {
    strategy_ = strategy;
    steps_ = state.steps;
    done_ = state.done;
    seen_ = state.seen;
    mean_ = state.mean;
    variance_ = state.variance;
}

}  // namespace esper::execution
