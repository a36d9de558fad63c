#include "esper/services/tamiyo/confidence_sequence.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace esper::tamiyo {

ConfidenceSequence::ConfidenceSequence(double delta, std::int64_t smallest)
    : delta_(delta), smallest_(static_cast<double>(std::max<std::int64_t>(smallest, 2))) {}

void ConfidenceSequence::add(double value) {
    ++count_;
    const double from_old = value - mean_;
    mean_ += from_old / static_cast<double>(count_);
    squares_ += from_old * (value - mean_);
}

double ConfidenceSequence::deviation() const {
    return count_ < 2 ? 0.0 : std::sqrt(squares_ / static_cast<double>(count_ - 1));
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
