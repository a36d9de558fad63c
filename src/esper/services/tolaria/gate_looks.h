#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "esper/services/tamiyo/gate.h"

namespace esper::tolaria {

/// What one look at a seed came to.
struct GateLooks {
    tamiyo::GateResult gate;                      ///< the seed switched off and on
    std::optional<tamiyo::GateResult> fork = {};  ///< against the host that never had it
    nlohmann::json fork_detail = {};              ///< for events.jsonl, where a fork was asked for
};

}  // namespace esper::tolaria
