#pragma once

#include "esper/contracts/codec.h"

namespace esper::contracts {

/// Figures by name, e.g. {"latency_ms_p99": 0.41}.
using Metrics = std::map<std::string, double>;
using Words = std::vector<std::string>;

/// Identifies one seed: its anchor by name and by index in the Program, and its index among that
/// anchor's seeds.
struct SeedRef {
    ESPER_CONTRACT(SeedRef, 1, "One seed of one anchor")
    ESPER_REQUIRED(1, std::string, layer, id(), "Anchor name, dotted, e.g. layer2.0.conv1")
    ESPER_REQUIRED(2, std::uint32_t, layer_index, any(), "Dense index of the anchor")
    ESPER_REQUIRED(3, std::uint32_t, seed, any(), "Index among the anchor's seeds")
};

}  // namespace esper::contracts
