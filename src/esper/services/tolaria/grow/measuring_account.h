#pragma once

#include <limits>

#include "esper/services/tolaria/learn/flops.h"

namespace esper::tolaria {

/// What measuring may still cost (growth.measure_share): a share of the FLOPs of the run's training
/// and validation, less what looks, candidates, scales, forks and the second passes of seeds in a
/// shadow have cost. The share is of the whole run, since growing pays early, when little of it is
/// over. All of it is computed from the run's counts, so the account has no state of
/// its own and a resumed run has the same balance. A run that version 1 began did not count by
/// purpose; it has no limit.
class MeasuringAccount {
  public:
    MeasuringAccount(double share, const Flops& flops) : share_(share), flops_(flops) {}

    /// FLOPs of training and validation that are still to come.
    void expect(double flops) { to_come_ = flops; }

    double spent() const { return flops_.measuring + flops_.forks + flops_.shadows; }
    double balance() const {
        return flops_.unattributed > 0 ? std::numeric_limits<double>::infinity()
                                       : share_ * own() - spent();
    }
    bool can_pay(double flops) const { return flops <= balance(); }
    double share() const { return share_; }

  private:
    double own() const { return flops_.training + flops_.validation + to_come_; }

    double share_;
    double to_come_ = 0;
    const Flops& flops_;
};

}  // namespace esper::tolaria
