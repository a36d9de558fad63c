#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "esper/services/tamiyo/gate.h"

namespace esper::tolaria {

/// What one look at a seed came to.
struct GateLooks {
    tamiyo::GateResult gate;                      ///< the seed switched off and on
    std::optional<tamiyo::GateResult> fork = {};  ///< against the host that never had it
    nlohmann::json fork_detail = {};              ///< for events.jsonl, where a fork was asked for
};

/// Per example in `order`, the loss without the seed minus the loss with it.
inline std::vector<float> differences(const std::vector<float>& without,
                                      const std::vector<float>& with,
                                      const std::vector<std::uint32_t>& order) {
    std::vector<float> d;
    d.reserve(order.size());
    for (auto i : order) d.push_back(without[i] - with[i]);
    return d;
}

}  // namespace esper::tolaria
