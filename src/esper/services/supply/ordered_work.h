#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "esper/services/ports/kernel_supply.h"
#include "esper/services/supply/kernel_orders.h"
#include "esper/services/urza/library.h"

namespace esper::supply {

/// What a run has ordered from the workers of its library, and what they made of it. Thread-safe;
/// no lock is held while the library is asked.
class OrderedWork {
  public:
    Status order(urza::Library& library, const std::vector<ports::KernelNeed>& needs);
    /// Asks the library about what was open when it was last asked.
    void look(urza::Library& library);
    /// Whether every job is done or dead.
    bool is_finished() const;
    std::vector<OrderOutcome> outcomes() const;
    /// What becomes of a need whose outcome is open; "" where it was not ordered.
    std::string what_of(const ports::KernelNeed& need) const;

  private:
    struct Job {
        ports::KernelNeed need;
        urza::WorkRow row;
        std::optional<OrderOutcome> outcome = {};  ///< once it is done or dead
    };
    mutable std::mutex mutex_;
    std::map<std::string, Job> jobs_;  ///< by their ids
};

/// An order as a job for workers of this machine's kind.
urza::NewWork work_of(const ForgeOrder& order);

}  // namespace esper::supply
