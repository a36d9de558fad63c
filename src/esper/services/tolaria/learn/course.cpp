#include "esper/services/tolaria/learn/course.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace esper::tolaria {

using configs::Budget;
using configs::Schedule;

namespace {

bool has_cooldown(const LearningRateSchedule& s) {
    return s.kind == Schedule::kWarmupConstantCooldown;
}

std::int64_t whole(double steps) {
    return static_cast<std::int64_t>(std::ceil(std::clamp(steps, 0.0, 9e15)));
}

}  // namespace

Course::Course(const LearningRateSchedule& schedule, const Budget& budget,
               const std::vector<Budget>& smaller)
    : schedule_(schedule), budget_(budget) {
    if (!has_cooldown(schedule) || !budget.is_set()) return;
    for (const auto& one : smaller) cooldowns_.push_back(cooldown_begin(one));
}

double Course::cooldown_begin(const Budget& budget) const {
    return has_cooldown(schedule_) ? (1 - schedule_.cooldown) * budget.amount : budget.amount;
}

double Course::spent_by(const std::vector<Mark>& marks, std::int64_t step) {
    const auto after = std::upper_bound(marks.begin(), marks.end(), step,
                                        [](std::int64_t s, const Mark& m) { return s < m.step; });
    if (after == marks.begin()) return marks.empty() ? 0 : marks.front().spent;
    const auto& mark = *std::prev(after);
    return mark.spent + static_cast<double>(step - mark.step) * mark.step_cost;
}

double Course::spent_at(std::int64_t step) const { return spent_by(marks_, step); }

bool Course::note(std::int64_t step, double spent, double step_cost) {
    if (!has_budget()) return false;
    const bool by_clock = budget_.of == Budget::Of::kSeconds;
    if (by_clock) step_cost = 0;
    const double before = step > 0 ? spent_at(step - 1) : -1;
    const bool begins = std::ranges::any_of(
        cooldowns_, [&](double begin) { return step > 0 && before < begin && begin <= spent; });
    while (!marks_.empty() && marks_.back().step >= step) marks_.pop_back();
    const bool same = !marks_.empty() && marks_.back().step_cost == step_cost &&
                      (by_clock ? spent - marks_.back().spent < kClockGrain * budget_.amount
                                : spent_at(step) == spent);
    if (begins || !same) marks_.push_back({step, spent, step_cost});
    return begins;
}

double Course::share(std::int64_t step) const {
    if (!has_budget())
        return std::clamp(static_cast<double>(step) / static_cast<double>(schedule_.total_steps),
                          0.0, 1.0);
    return std::clamp(spent_at(step) / budget_.amount, 0.0, 1.0);
}

// A warm-up in steps counts steps; its total is the run's length at the first network's cost. By
// the clock there is no such length, and the warm-up is a share of the time.
double Course::warmup_factor(std::int64_t step) const {
    if (schedule_.warmup_share > 0)
        return std::min(1.0, (share(step) + kClockGrain) / schedule_.warmup_share);
    const auto warmup = static_cast<std::int64_t>(schedule_.warmup_steps);
    return step < warmup ? static_cast<double>(step + 1) / static_cast<double>(warmup) : 1;
}

double Course::warmup_end() const {
    if (schedule_.warmup_share > 0 || schedule_.total_steps == 0) return schedule_.warmup_share;
    return static_cast<double>(schedule_.warmup_steps) / static_cast<double>(schedule_.total_steps);
}

double Course::rate(std::int64_t step) const {
    if (!has_budget()) return learning_rate(schedule_, static_cast<std::uint64_t>(step));
    const double done = share(step);
    if (done >= 1) return 0;
    if (schedule_.kind == Schedule::kOneCycle)
        return schedule_.peak * one_cycle(done, warmup_end());
    const double warmup = warmup_factor(step);
    double rate = schedule_.peak * warmup;
    if (schedule_.kind == Schedule::kCosine && warmup >= 1) {
        const double risen = warmup_end();
        rate *= 0.5 * (1.0 + std::cos(std::numbers::pi * std::max(0.0, done - risen) /
                                      std::max(1e-12, 1 - risen)));
    }
    if (has_cooldown(schedule_) && done > 1 - schedule_.cooldown)
        rate *= (1 - done) / schedule_.cooldown;
    return rate;
}

bool Course::may_grow(std::int64_t step, double stop_share) const {
    if (!has_budget())
        return tolaria::may_grow(schedule_, static_cast<std::uint64_t>(step), stop_share);
    if (falls_all_along(schedule_.kind)) stop_share = std::min(stop_share, 0.5);
    const double done = share(step);
    return done <= stop_share && (!has_cooldown(schedule_) || done < 1 - schedule_.cooldown);
}

bool Course::keeps_within(std::int64_t step, std::int64_t steps) const {
    if (marks_.empty()) return false;
    const double now = spent_at(step);
    const double step_cost = budget_.of == Budget::Of::kSeconds
                                 ? (step > 0 ? now / static_cast<double>(step) : 0)
                                 : marks_.back().step_cost;
    const double then = now + static_cast<double>(steps) * step_cost;
    return std::ranges::any_of(cooldowns_,
                               [&](double begin) { return now < begin && begin <= then; });
}

bool Course::is_over(std::int64_t step, double spent) const {
    if (!has_budget()) return step >= static_cast<std::int64_t>(schedule_.total_steps);
    return spent >= budget_.amount;
}

std::int64_t Course::total_steps(std::int64_t step) const {
    return step + steps_left(step, marks_.empty() ? 0 : marks_.back().step_cost);
}

namespace {

/// The rest of a run from a share on, in steps of what one costs there, as shares of its budget.
double steps_between(const std::vector<Course::Price>& prices, double share) {
    double now = prices.front().flops;
    for (const auto& price : prices)
        if (price.from <= share) now = price.flops;
    double steps = 0;
    for (std::size_t i = 0; i < prices.size(); ++i) {
        const double end = i + 1 < prices.size() ? prices[i + 1].from : 1;
        steps += std::max(0.0, end - std::max(share, prices[i].from)) * now / prices[i].flops;
    }
    return steps;
}

}  // namespace

double steps_at(const std::vector<Course::Price>& prices, double budget, std::int64_t examples) {
    return steps_between(prices, 0) * budget /
           (prices.front().flops * static_cast<double>(examples));
}

std::int64_t Course::steps_left(std::int64_t step, double step_cost) const {
    if (!has_budget())
        return std::max<std::int64_t>(0, static_cast<std::int64_t>(schedule_.total_steps) - step);
    const double spent = spent_at(step);
    const double left = std::max(0.0, budget_.amount - spent);
    if (left <= 0) return 0;
    if (budget_.of == Budget::Of::kSeconds)
        step_cost = step > 0 ? spent / static_cast<double>(step) : 0;
    if (budget_.of == Budget::Of::kFlops && prices_.size() > 1 && step_cost > 0)
        return whole(steps_between(prices_, spent / budget_.amount) * budget_.amount / step_cost);
    if (step_cost > 0) return whole(left / step_cost);
    return std::max<std::int64_t>(0, static_cast<std::int64_t>(schedule_.total_steps) - step);
}

std::vector<Budget> kept_budgets(const Budget& budget, const std::vector<std::string>& named) {
    std::vector<Budget> kept;
    for (const auto& text : named) kept.push_back(Budget::of_text(text));
    if (!named.empty() || !budget.is_set()) return kept;
    for (const double part : {2.0, 4.0, 8.0, 16.0})
        kept.push_back({budget.amount / part, budget.of});
    return kept;
}

}  // namespace esper::tolaria
