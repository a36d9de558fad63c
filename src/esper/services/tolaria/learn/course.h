#pragma once

#include <cstdint>
#include <vector>

#include "esper/configs/budget.h"
#include "esper/services/tolaria/learn/schedule.h"

namespace esper::tolaria {

/// How far a run has come and what follows from it: the learning rate, whether it may still grow,
/// when it is over. A run of epochs goes by its steps. A run with a budget goes by what it has
/// spent of it, so that its end and its schedule stay where they are when the network grows and
/// each step costs more.
class Course {
  public:
    Course() = default;
    /// `smaller`: budgets below the run's own for which a checkpoint is kept.
    Course(const LearningRateSchedule& schedule, const configs::Budget& budget,
           const std::vector<configs::Budget>& smaller = {});

    const LearningRateSchedule& schedule() const { return schedule_; }
    const configs::Budget& budget() const { return budget_; }
    bool has_budget() const { return budget_.is_set(); }

    /// Tells, before step `step`, what has been spent so far and what the step will cost, both in
    /// FLOPs; of a budget of seconds `spent` is in seconds and `step_cost` is not used. Call it
    /// before each step, in their order. True where the cool-down of one of the smaller budgets
    /// begins at this step.
    bool note(std::int64_t step, double spent, double step_cost);

    /// What had been spent before a step that was noted.
    double spent_at(std::int64_t step) const;
    /// The share of the run that was over before step `step`, from 0 to 1.
    double share(std::int64_t step) const;
    double rate(std::int64_t step) const;
    bool may_grow(std::int64_t step, double stop_share) const;
    /// Whether the cool-down of one of the smaller budgets begins within so many steps from `step`
    /// on, if they cost what the one at `step` does.
    bool keeps_within(std::int64_t step, std::int64_t steps) const;
    /// Whether no step is left. Of a run with a budget, `spent` says so.
    bool is_over(std::int64_t step, double spent) const;
    /// The steps of the whole run, if those that are left cost what the one at `step` does.
    std::int64_t total_steps(std::int64_t step) const;
    /// Steps that are left at `step` if it costs `step_cost` FLOPs, and later ones in proportion to
    /// their price; of a run of epochs, or by the
    /// clock, as many as at the present cost.
    std::int64_t steps_left(std::int64_t step, double step_cost) const;

    /// What an example costs from a share of the run on, if nothing grows but the examples.
    struct Price {
        double from = 0;
        double flops = 0;
    };
    /// Tells what is known of later steps. Without it all that are left cost the same.
    void expect(std::vector<Price> prices) { prices_ = std::move(prices); }

    /// Where the cool-down of a budget begins, in what the budget is counted in.
    double cooldown_begin(const configs::Budget& budget) const;

    /// A step from which on each step costs the same: before it, `spent` was spent.
    struct Mark {
        std::int64_t step = 0;
        double spent = 0;
        double step_cost = 0;

        template <typename Self, typename Visitor>
        static void fields(Self& self, Visitor& visit) {
            visit("step", self.step);
            visit("spent", self.spent);
            visit("step_cost", self.step_cost);
        }
    };
    /// The course so far; part of a checkpoint, because forks train on at rates of the past.
    const std::vector<Mark>& marks() const { return marks_; }
    void restore(std::vector<Mark> marks) { marks_ = std::move(marks); }

    /// What was spent before step `step`, by the marks of a run.
    static double spent_by(const std::vector<Mark>& marks, std::int64_t step);

  private:
    double warmup_factor(std::int64_t step) const;
    double warmup_end() const;  ///< as a share of the run

    LearningRateSchedule schedule_;
    configs::Budget budget_;
    std::vector<double> cooldowns_;  ///< where the cool-downs of the smaller budgets begin
    std::vector<Mark> marks_;        ///< in the order of their steps
    std::vector<Price> prices_;      ///< in the order of their shares
};

/// Steps of a budget of FLOPs if the prices hold, each step with so many examples.
double steps_at(const std::vector<Course::Price>& prices, double budget, std::int64_t examples);

/// The share of a budget of seconds after which the rate is settled anew.
inline constexpr double kClockGrain = 1e-3;

/// The budgets for which a run keeps a checkpoint where their cool-down begins: those it names, and
/// without names its budget's half, quarter, eighth and sixteenth.
std::vector<configs::Budget> kept_budgets(const configs::Budget& budget,
                                          const std::vector<std::string>& named);

}  // namespace esper::tolaria
