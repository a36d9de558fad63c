#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace esper::execution {

/// What one pass over an activation or a gradient adds up.
struct ActivationSums {
    double sum = 0;
    double squares = 0;
    float max = -std::numeric_limits<float>::infinity();
    std::uint64_t zeros = 0;  ///< exactly 0
    std::uint64_t n = 0;

    double mean() const { return n == 0 ? 0 : sum / static_cast<double>(n); }
    /// Of the values seen, not an estimate for others; 0 below one.
    double variance() const;
};

/// Adds `rows` rows of `features` values, `stride` floats from row to row, to the sums, in one
/// pass. `feature_max` (as long as `features`, or null) becomes the largest value that each feature
/// ever had, from -infinity on: a unit whose largest is not above zero never fired.
void add_statistics(const float* x, std::size_t rows, std::size_t features, std::size_t stride,
                    float* feature_max, ActivationSums& sums);

/// Every version that runs on this machine, naive first, best last; the last is what
/// `add_statistics` calls.
struct StatisticsKernel {
    std::string_view name;
    void (*run)(const float* x, std::size_t rows, std::size_t features, std::size_t stride,
                float* feature_max, ActivationSums& sums);
};
const std::vector<StatisticsKernel>& statistics_kernels();

}  // namespace esper::execution
