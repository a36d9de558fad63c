#pragma once

#include <cstdint>
#include <optional>

#include "esper/base/clock.h"
#include "esper/configs/budget.h"

namespace esper::tolaria {

/// How far an adaptation is in its budget, and the rate there: up over the first steps, constant,
/// linear to zero over the last 60 %.
class AdaptedCourse {
  public:
    /// `steps`: of all epochs, where no budget is set.
    AdaptedCourse(const configs::Budget& budget, double steps, Clock& clock = system_clock());

    void train(double flops) { training_ += flops; }
    void measure(double flops) { measuring_ += flops; }
    double training() const { return training_; }
    double measuring() const { return measuring_; }
    double seconds() const;

    /// 0 … 1, before step `step`.
    double share(std::int64_t step) const;
    /// Of the full rate, for step `step`, counted from 0.
    double factor(std::int64_t step) const;
    /// Steps that the whole budget pays for at `cost` FLOPs each; nothing for a budget of seconds.
    std::optional<double> steps_of(double cost) const;

  private:
    configs::Budget budget_;
    double steps_;
    Clock& clock_;
    std::int64_t began_;
    double training_ = 0;
    double measuring_ = 0;
};

}  // namespace esper::tolaria
