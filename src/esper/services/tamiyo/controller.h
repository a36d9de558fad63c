#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "esper/services/tamiyo/lifecycle.h"
#include "esper/services/tamiyo/policy.h"

namespace esper::tamiyo {

/// The controller of a run: a Policy decides on germinations, a Lifecycle on everything after. At
/// each epoch boundary the trainer
///   1. builds a ControllerView,
///   2. takes the looks that `looks_due` requests and stores each result in its slot's `gate`,
///   3. measures the candidates that `nominees` lists and stores their predicted gain,
///   4. carries out the commands that `decide` returns.
/// The trainer may repeat steps 2–4 at the same boundary, with the new states, until `decide`
/// returns nothing. At the run's last boundary it must, so that no seed stays undecided. Use it
/// from one thread.
class Controller {
  public:
    Controller(const configs::GrowthConfig& growth, const configs::ControllerConfig& controller,
               const RunShape& run);

    std::vector<LookRequest> looks_due(const ControllerView& view) const;
    std::vector<std::size_t> nominees(const ControllerView& view) const;
    /// At most one command per slot. Counts the looks in the view as taken.
    std::vector<Decision> decide(const ControllerView& view);

    const Policy& policy() const { return *policy_; }
    const Lifecycle& lifecycle() const { return lifecycle_; }
    /// At least so many seeds have germinated, whatever a restored state says (Lifecycle).
    void count_germinations_from(std::int64_t n) { lifecycle_.count_germinations_from(n); }
    /// Why nothing germinated at the last `decide`, one sentence.
    std::string waiting_for() const { return policy_->waiting_for(); }

    nlohmann::json save() const;
    /// Error: kBadState when the state is unreadable or of another policy; nothing changes then.
    Status restore(const nlohmann::json& state);

  private:
    Lifecycle lifecycle_;
    std::unique_ptr<Policy> policy_;
};

}  // namespace esper::tamiyo
