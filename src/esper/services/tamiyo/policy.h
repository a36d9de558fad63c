#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "esper/configs/controller.h"
#include "esper/configs/growth.h"
#include "esper/services/tamiyo/decision.h"
#include "esper/services/tamiyo/errors.h"
#include "esper/services/tamiyo/life_steps.h"
#include "esper/services/tamiyo/view.h"

namespace esper::tamiyo {

/// Decides when and where a seed germinates, and nothing else: what becomes of it afterwards is the
/// same under every policy (Lifecycle). Belongs to one thread. A policy depends on its state and
/// the view alone, so a restored one goes on as the saved one would have.
class Policy {
  public:
    virtual ~Policy() = default;
    virtual std::string_view name() const = 0;

    /// Indices into view.candidates whose predicted gain is worth measuring before `decide`; empty
    /// where nothing will germinate at this boundary anyway. Measuring is dear, so ask first.
    virtual std::vector<std::size_t> nominees(const ControllerView& view) const = 0;

    /// The germinations of this boundary. May be called again at the same boundary.
    virtual std::vector<Decision> decide(const ControllerView& view) = 0;

    /// Why the last `decide` returned nothing, one sentence; empty when it did return something.
    virtual std::string waiting_for() const = 0;

    virtual nlohmann::json save() const = 0;
    /// kBadState; nothing is changed on an error.
    virtual Status restore(const nlohmann::json& state) = 0;
};

/// The policy that the configuration names.
std::unique_ptr<Policy> make_policy(const configs::GrowthConfig& growth,
                                    const configs::ControllerConfig& controller,
                                    const RunShape& run);

}  // namespace esper::tamiyo
