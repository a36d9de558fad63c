#include "esper/services/tolaria/learn/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace esper::tolaria {

using configs::Schedule;

std::uint64_t LearningRateSchedule::cooldown_begin() const {
    if (kind != Schedule::kWarmupConstantCooldown) return total_steps;
    const double length = std::clamp(cooldown, 0.0, 1.0) * static_cast<double>(total_steps);
    return total_steps - static_cast<std::uint64_t>(std::llround(length));
}

double one_cycle(double done, double risen) {
    constexpr double kFirst = 1.0 / 25;
    constexpr double kLast = kFirst / 1e4;
    const auto between = [](double from, double to, double share) {
        return to + 0.5 * (from - to) * (1.0 + std::cos(std::numbers::pi * share));
    };
    if (done < risen) return between(kFirst, 1, done / risen);
    return between(1, kLast, std::min(1.0, (done - risen) / std::max(1e-12, 1 - risen)));
}

bool falls_all_along(Schedule kind) {
    return kind == Schedule::kCosine || kind == Schedule::kOneCycle;
}

double learning_rate(const LearningRateSchedule& s, std::uint64_t step) {
    if (step >= s.total_steps) return 0;
    // Its first step has the lowest rate and its last one the last, as in PyTorch.
    if (s.kind == Schedule::kOneCycle) {
        const double last = std::max(1.0, static_cast<double>(s.total_steps) - 1);
        const double risen = std::max(0.0, static_cast<double>(s.warmup_steps) - 1) / last;
        return s.peak * one_cycle(static_cast<double>(step) / last, risen);
    }
    double rate = s.peak;
    if (step < s.warmup_steps) {
        rate *= static_cast<double>(step + 1) / static_cast<double>(s.warmup_steps);
    }
    if (s.kind == Schedule::kCosine && step >= s.warmup_steps) {
        const double done = static_cast<double>(step - s.warmup_steps) /
                            static_cast<double>(s.total_steps - s.warmup_steps);
        rate *= 0.5 * (1.0 + std::cos(std::numbers::pi * done));
    }
    // Where warm-up and cool-down overlap in a very short run, both count.
    if (const std::uint64_t begin = s.cooldown_begin(); step >= begin) {
        rate *=
            static_cast<double>(s.total_steps - step) / static_cast<double>(s.total_steps - begin);
    }
    return rate;
}

bool may_grow(const LearningRateSchedule& s, std::uint64_t step, double stop_share) {
    if (falls_all_along(s.kind)) stop_share = std::min(stop_share, 0.5);
    const auto stop = static_cast<double>(s.total_steps) * stop_share;
    return static_cast<double>(step) <= stop && step < s.cooldown_begin();
}

double newborn_factor(double rate, std::uint64_t steps, std::uint64_t age) {
    return age < steps ? rate : 1.0;
}

}  // namespace esper::tolaria
