#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace esper::records {

/// What is known of a mean from `n` independent values.
struct Estimate {
    std::size_t n = 0;
    double mean = 0;
    /// Half of the 95 % interval by Student's t; nothing for fewer than two values.
    std::optional<double> half_width;
};

/// Values that are not finite make the mean NaN and leave no interval.
Estimate estimate_mean(std::span<const double> values);

/// Whether two groups differ: the mean of `b` less that of `a`, and the two-sided p of no
/// difference.
struct Contrast {
    Estimate difference;
    std::optional<double> p;
    bool is_paired = false;
};

/// Of pairs, a[i] with b[i]: Student's t of their differences.
Contrast paired_contrast(std::span<const double> a, std::span<const double> b);
/// Of independent values: Welch's t (Biometrika 34, 1947), which lets the variances differ.
Contrast welch_contrast(std::span<const double> a, std::span<const double> b);

/// Raises the p values of several comparisons so that a false one among all of them is as unlikely
/// as the p says (Holm, Scandinavian Journal of Statistics 6, 1979). In the order that they came.
std::vector<double> holm(std::span<const double> p);

}  // namespace esper::records
