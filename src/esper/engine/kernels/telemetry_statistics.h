#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace esper::execution {

/// Sums over the elements of an activation or a gradient.
struct ActivationSums {
    double sum = 0;
    double squares = 0;
    float max = -std::numeric_limits<float>::infinity();
    std::uint64_t zeros = 0;  ///< number of elements that are exactly 0
    std::uint64_t n = 0;

    double mean() const { return n == 0 ? 0 : sum / static_cast<double>(n); }
    /// Variance of these values themselves (divided by their number); 0 without values.
    double variance() const;
};

/// Adds `rows` rows of `features` values, `stride` floats from row to row, to the sums in one pass.
/// `feature_max` (`features` elements, or null) receives each feature's largest value so far; start
/// with -infinity. A unit whose largest value is not above zero never fired.
void add_statistics(const float* x, std::size_t rows, std::size_t features, std::size_t stride,
                    float* feature_max, ActivationSums& sums);

/// One implementation of add_statistics. The list has those that this CPU can run, the plain one
/// first, the best last; add_statistics calls the last.
struct StatisticsKernel {
    std::string_view name;
    void (*run)(const float* x, std::size_t rows, std::size_t features, std::size_t stride,
                float* feature_max, ActivationSums& sums);
};
const std::vector<StatisticsKernel>& statistics_kernels();

}  // namespace esper::execution
