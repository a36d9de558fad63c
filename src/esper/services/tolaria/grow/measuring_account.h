#pragma once

#include <limits>

#include "esper/services/tolaria/learn/flops.h"

namespace esper::tolaria {

/// What measuring may still cost (growth.measure_share): a share of the FLOPs that the run's own
/// steps have cost so far, less what looks, candidates, scales, forks and the second passes of
/// seeds in a shadow have cost. It is computed from the run's counts, so it has no state of its own
/// and a resumed run has the same balance. A run that version 1 began did not count by purpose; it
/// has no limit.
class MeasuringAccount {
  public:
    MeasuringAccount(double share, const Flops& flops) : share_(share), flops_(flops) {}

    double spent() const { return flops_.measuring + flops_.forks + flops_.shadows; }
    double balance() const {
        return flops_.unattributed > 0 ? std::numeric_limits<double>::infinity()
                                       : share_ * flops_.training - spent();
    }
    bool can_pay(double flops) const { return flops <= balance(); }
    /// What steps that cost `training_flops` will add.
    double income(double training_flops) const { return share_ * training_flops; }
    double share() const { return share_; }

  private:
    double share_;
    const Flops& flops_;
};

}  // namespace esper::tolaria
