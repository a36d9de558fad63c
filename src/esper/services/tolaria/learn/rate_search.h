#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "esper/base/error.h"

namespace esper::tolaria {

/// A search for a learning rate (Smith 2017): the rate rises from step to step by the same factor;
/// the losses are averaged and the suggestion is made as Lightning's lr_find does.
class RateSearch {
  public:
    struct Range {
        double from = 1e-6;
        double to = 1;
        std::int64_t steps = 100;
    };
    /// Error: kUnsupported for a range that is none, and for fewer than 20 steps.
    static Result<RateSearch> over(const Range& range);

    /// True after the last step, and once the loss is four times the lowest, or no number.
    bool is_over() const;
    double next_rate() const;
    /// The loss of the step that was made at next_rate().
    void take(double loss);

    /// Of the steps that were made: the rate, and the mean of the losses up to there, later ones
    /// counting more (0.98).
    const std::vector<double>& rates() const { return rates_; }
    const std::vector<double>& losses() const { return losses_; }
    /// Where the loss falls fastest, the first ten steps and the last one left out; nothing for too
    /// few steps.
    std::optional<double> suggestion() const;

  private:
    explicit RateSearch(const Range& range) : range_(range) {}
    Range range_;
    double mean_ = 0;
    double lowest_ = 0;
    bool has_left_ = false;
    std::vector<double> rates_;
    std::vector<double> losses_;
};

}  // namespace esper::tolaria
