#include "esper/services/tolaria/adapt/adapted_course.h"

#include <algorithm>

namespace esper::tolaria {

namespace {

constexpr double kWarmUp = 30;
constexpr double kCoolDown = 0.6;

}  // namespace

AdaptedCourse::AdaptedCourse(const configs::Budget& budget, double steps, Clock& clock)
    : budget_(budget), steps_(steps), clock_(clock), began_(clock.now_ns()) {}

double AdaptedCourse::seconds() const {
    return static_cast<double>(clock_.now_ns() - began_) * 1e-9;
}

double AdaptedCourse::share(std::int64_t step) const {
    double done = static_cast<double>(step) / std::max(steps_, 1.0);
    if (budget_.of == configs::Budget::Of::kFlops) done = (training_ + measuring_) / budget_.amount;
    if (budget_.of == configs::Budget::Of::kSeconds) done = seconds() / budget_.amount;
    return std::min(done, 1.0);
}

double AdaptedCourse::factor(std::int64_t step) const {
    return std::min(1.0, static_cast<double>(step + 1) / kWarmUp) *
           std::min(1.0, (1 - share(step)) / kCoolDown);
}

std::optional<double> AdaptedCourse::steps_of(double cost) const {
    if (budget_.of == configs::Budget::Of::kFlops) return budget_.amount / cost;
    if (budget_.of == configs::Budget::Of::kSeconds) return std::nullopt;
    return steps_;
}

}  // namespace esper::tolaria
