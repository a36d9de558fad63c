#pragma once

#include <cstdint>

namespace esper::tamiyo {

/// An anytime-valid asymptotic confidence sequence on the mean of independent numbers: with
/// probability at least 1 − delta the mean lies within mean() ± radius() at *every* count from
/// `smallest` numbers on. So a caller may test after each number and stop at any time.
/// Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas: "Time-uniform central limit theory and asymptotic
/// confidence sequences" (Annals of Statistics 2024), theorem 2.2, with ρ² = 1/smallest.
class ConfidenceSequence {
  public:
    /// A `delta` outside (0, 1) makes the radius infinite; a `smallest` below 2 counts as 2.
    ConfidenceSequence(double delta, std::int64_t smallest);

    void add(double value);

    std::int64_t count() const { return count_; }
    double mean() const { return mean_; }
    /// Sample standard deviation; 0 with fewer than two numbers.
    double deviation() const;
    /// Sample skewness; 0 with fewer than two numbers or when all are equal.
    double skewness() const;
    /// s·√( 2(tρ²+1)/(t²ρ²) · ln(√(tρ²+1)/δ) ); infinite below `smallest` numbers.
    double radius() const;
    /// The radius that `count` numbers of this deviation have.
    static double radius_at(std::int64_t count, double deviation, double delta,
                            std::int64_t smallest);
    double lower() const { return mean() - radius(); }
    double upper() const { return mean() + radius(); }

  private:
    double delta_;
    double smallest_;
    std::int64_t count_ = 0;
    double mean_ = 0;
    double squares_ = 0;  ///< sum of squared distances from the mean (Welford 1962)
    double cubes_ = 0;    ///< sum of cubed distances from the mean (Pébay 2008)
};

}  // namespace esper::tamiyo
