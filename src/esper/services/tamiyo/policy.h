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

/// Decides when and where a seed germinates, and nothing else; Lifecycle decides what happens to it
/// afterwards. A policy depends only on its state and the view, so a restored policy continues as
/// the saved one would have. Use it from one thread.
class Policy {
  public:
    virtual ~Policy() = default;
    virtual std::string_view name() const = 0;

    /// Indices into view.candidates of the candidates whose gain the trainer should measure before
    /// `decide`. Empty when no seed will germinate at this boundary; this saves the measurement.
    virtual std::vector<std::size_t> nominees(const ControllerView& view) const = 0;

    /// The germinations of this boundary. May be called again at the same boundary.
    virtual std::vector<Decision> decide(const ControllerView& view) = 0;

    /// Why the last `decide` returned nothing, one sentence; empty when it did return something.
    virtual std::string waiting_for() const = 0;

    virtual nlohmann::json save() const = 0;
    /// Error: kBadState; nothing changes then.
    virtual Status restore(const nlohmann::json& state) = 0;
};

/// The policy that the configuration names.
std::unique_ptr<Policy> make_policy(const configs::GrowthConfig& growth,
                                    const configs::ControllerConfig& controller,
                                    const RunShape& run);

}  // namespace esper::tamiyo
