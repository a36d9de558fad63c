#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace esper::tamiyo {

/// Median of the slopes between all pairs of points (Theil 1950, Sen 1968), per step of the index:
/// up to 29 % of the points may be arbitrarily wrong. Unmeasured points are left out; nothing for
/// fewer than two.
std::optional<double> robust_slope(std::span<const std::optional<double>> values);

/// How the loss has moved over the last `window` epochs.
struct Trend {
    /// Per epoch; below zero is progress.
    std::optional<double> slope;
    /// Loss saved per epoch, relative to the loss now.
    std::optional<double> relative_gain;
    /// Nothing while too little is measured to tell.
    std::optional<bool> plateau;
};

/// A plateau: over the last `patience` epochs the loss fell by less than `threshold` of itself an
/// epoch. Looks at patience + 1 values, of which at least patience must be measured (and at least
/// two).
Trend loss_trend(std::span<const std::optional<double>> losses, std::size_t patience,
                 double threshold);

/// The middle value of those that there are (the upper one of two); nothing of nothing.
std::optional<double> median(std::vector<double> values);

}  // namespace esper::tamiyo
