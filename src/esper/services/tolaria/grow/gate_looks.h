#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "esper/services/tamiyo/gate.h"

namespace esper::tolaria {

/// The results of one look at a seed.
struct GateLooks {
    /// The network with α = 1 against α = 0; nothing where the account could not pay for it.
    std::optional<tamiyo::GateResult> gate = {};
    bool cut_short = false;  ///< the account was empty before the look was clear
    std::optional<tamiyo::GateResult> fork = {};  ///< the network against the fork
    nlohmann::json fork_detail = {};              ///< for events.jsonl, if a fork was requested
};

/// The loss without the seed minus the loss with it, per example in `order`.
inline std::vector<float> differences(const std::vector<float>& without,
                                      const std::vector<float>& with,
                                      const std::vector<std::uint32_t>& order) {
    std::vector<float> d;
    d.reserve(order.size());
    for (auto i : order) d.push_back(without[i] - with[i]);
    return d;
}

}  // namespace esper::tolaria
