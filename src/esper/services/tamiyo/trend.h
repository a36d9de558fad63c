#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace esper::tamiyo {

/// Median of the slopes between all pairs of points (Theil 1950, Sen 1968), per step of the index.
/// Up to 29 % of the points may be arbitrarily wrong. Points that were not measured are left out;
/// nothing with fewer than two points.
std::optional<double> robust_slope(std::span<const std::optional<double>> values);

/// The course of the loss over the last epochs; see loss_trend.
struct Trend {
    /// Change of the loss per epoch; below zero is progress.
    std::optional<double> slope;
    /// Loss saved per epoch, relative to the loss now.
    std::optional<double> relative_gain;
    /// Nothing while too few values are measured.
    std::optional<bool> plateau;
};

/// The trend over the last `patience` epochs. It is a plateau when the loss fell by less than
/// `threshold` of its value per epoch. Uses patience + 1 values, of which at least `patience` (and
/// at least two) must be measured.
Trend loss_trend(std::span<const std::optional<double>> losses, std::size_t patience,
                 double threshold);

/// The middle value (the upper of the two for an even count); nothing for an empty list.
std::optional<double> median(std::vector<double> values);

}  // namespace esper::tamiyo
