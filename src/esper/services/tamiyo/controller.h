#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "esper/services/tamiyo/lifecycle.h"
#include "esper/services/tamiyo/policy.h"

namespace esper::tamiyo {

/// The whole controller of a run: one policy for germinations, one lifecycle for what follows. At
/// each epoch boundary the trainer
///   1. builds a ControllerView,
///   2. takes the looks that `looks_due` asks for and puts each result into its slot's `gate`,
///   3. measures the candidates that `nominees` lists and puts in their predicted gain,
///   4. carries out what `decide` returns.
/// Steps 2–4 may be repeated at the same boundary with the states as they have become, until
/// `decide` returns nothing; at the run's last boundary they must be, so that no seed stays
/// undecided. Belongs to one thread.
class Controller {
  public:
    Controller(const configs::GrowthConfig& growth, const configs::ControllerConfig& controller,
               const RunShape& run);

    std::vector<LookRequest> looks_due(const ControllerView& view) const;
    std::vector<std::size_t> nominees(const ControllerView& view) const;
    /// At most one command a slot. Consumes the looks in the view.
    std::vector<Decision> decide(const ControllerView& view);

    const Policy& policy() const { return *policy_; }
    const Lifecycle& lifecycle() const { return lifecycle_; }
    /// At least so many seeds have germinated, whatever a restored state says (Lifecycle).
    void count_germinations_from(std::int64_t n) { lifecycle_.count_germinations_from(n); }
    /// Why nothing germinated at the last `decide`, one sentence.
    std::string waiting_for() const { return policy_->waiting_for(); }

    nlohmann::json save() const;
    /// kBadState: unreadable, or of another policy; nothing is changed then.
    Status restore(const nlohmann::json& state);

  private:
    Lifecycle lifecycle_;
    std::unique_ptr<Policy> policy_;
};

}  // namespace esper::tamiyo
