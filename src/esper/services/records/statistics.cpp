#include "esper/services/records/statistics.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <numeric>

namespace esper::records {

namespace {

double mean_of(std::span<const double> values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double variance_of(std::span<const double> values, double mean) {
    double squares = 0;
    for (const double value : values) squares += (value - mean) * (value - mean);
    return squares / static_cast<double>(values.size() - 1);
}

double half_width(double error, double freedom) {
    if (error == 0) return 0;
    return error * boost::math::quantile(boost::math::students_t(freedom), 0.975);
}

double two_sided(double difference, double error, double freedom) {
    if (error == 0) return difference == 0 ? 1 : 0;
    const boost::math::students_t t(freedom);
    return 2 * boost::math::cdf(boost::math::complement(t, std::abs(difference) / error));
}

}  // namespace

Estimate estimate_mean(std::span<const double> values) {
    Estimate estimate{values.size(), 0, {}};
    if (values.empty()) return estimate;
    estimate.mean = mean_of(values);
    if (values.size() < 2 || !std::isfinite(estimate.mean)) return estimate;
    const auto n = static_cast<double>(values.size());
    estimate.half_width = half_width(std::sqrt(variance_of(values, estimate.mean) / n), n - 1);
    return estimate;
}

Contrast paired_contrast(std::span<const double> a, std::span<const double> b) {
    std::vector<double> differences;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
        differences.push_back(b[i] - a[i]);
    Contrast contrast{estimate_mean(differences), {}, true};
    if (!contrast.difference.half_width) return contrast;
    const auto n = static_cast<double>(differences.size());
    const double mean = contrast.difference.mean;
    contrast.p = two_sided(mean, std::sqrt(variance_of(differences, mean) / n), n - 1);
    return contrast;
}

Contrast welch_contrast(std::span<const double> a, std::span<const double> b) {
    Contrast contrast;
    contrast.difference.n = a.size() + b.size();
    if (a.empty() || b.empty()) return contrast;
    const double mean_a = mean_of(a);
    const double mean_b = mean_of(b);
    contrast.difference.mean = mean_b - mean_a;
    if (a.size() < 2 || b.size() < 2 || !std::isfinite(contrast.difference.mean)) return contrast;
    const double of_a = variance_of(a, mean_a) / static_cast<double>(a.size());
    const double of_b = variance_of(b, mean_b) / static_cast<double>(b.size());
    const double error = std::sqrt(of_a + of_b);
    // Welch and Satterthwaite; where nothing varies any number will do.
    const double freedom = error == 0 ? 1
                                      : (of_a + of_b) * (of_a + of_b) /
                                            (of_a * of_a / static_cast<double>(a.size() - 1) +
                                             of_b * of_b / static_cast<double>(b.size() - 1));
    contrast.difference.half_width = half_width(error, freedom);
    contrast.p = two_sided(contrast.difference.mean, error, freedom);
    return contrast;
}

std::vector<double> holm(std::span<const double> p) {
    std::vector<std::size_t> order(p.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {}, [&](std::size_t i) { return p[i]; });
    std::vector<double> raised(p.size());
    double before = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
        before =
            std::max(before, std::min(1.0, static_cast<double>(order.size() - i) * p[order[i]]));
        raised[order[i]] = before;
    }
    return raised;
}

}  // namespace esper::records
