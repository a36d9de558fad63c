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
    return radius_at(count_, deviation(), delta_, static_cast<std::int64_t>(smallest_));
}

double ConfidenceSequence::radius_at(std::int64_t count, double deviation, double delta,
                                     std::int64_t smallest) {
    const auto t = static_cast<double>(count);
    const auto n0 = static_cast<double>(std::max<std::int64_t>(smallest, 2));
    if (t < n0 || !(delta > 0 && delta < 1)) return std::numeric_limits<double>::infinity();
    const double rho2 = 1.0 / n0;
    const double grown = t * rho2 + 1.0;
    return deviation * std::sqrt(2.0 * grown / (t * t * rho2) * std::log(std::sqrt(grown) / delta));
}

}  // namespace esper::tamiyo
