#include "esper/services/tamiyo/confidence_sequence.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace esper::tamiyo {

ConfidenceSequence::ConfidenceSequence(double delta, std::int64_t smallest)
    : delta_(delta), smallest_(static_cast<double>(std::max<std::int64_t>(smallest, 2))) {}

void ConfidenceSequence::add(double value) {
    ++count_;
    const auto n = static_cast<double>(count_);
    const double from_old = value - mean_;
    const double step = from_old / n;
    const double gained = from_old * step * (n - 1.0);
    mean_ += step;
    cubes_ += gained * step * (n - 2.0) - 3.0 * step * squares_;
    squares_ += gained;
}

double ConfidenceSequence::deviation() const {
    return count_ < 2 ? 0.0 : std::sqrt(squares_ / static_cast<double>(count_ - 1));
}

double ConfidenceSequence::skewness() const {
    if (count_ < 2 || squares_ <= 0) return 0.0;
    return std::sqrt(static_cast<double>(count_)) * cubes_ / std::pow(squares_, 1.5);
}

double ConfidenceSequence::radius() const {
    const auto t = static_cast<double>(count_);
    if (t < smallest_ || !(delta_ > 0 && delta_ < 1)) {
        return std::numeric_limits<double>::infinity();
    }
    const double rho2 = 1.0 / smallest_;
    const double grown = t * rho2 + 1.0;
    return deviation() *
           std::sqrt(2.0 * grown / (t * t * rho2) * std::log(std::sqrt(grown) / delta_));
}

}  // namespace esper::tamiyo
