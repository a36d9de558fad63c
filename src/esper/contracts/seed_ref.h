#pragma once

#include "esper/contracts/codec.h"

namespace esper::contracts {

/// Free named figures, e.g. {"latency_ms_p99": 0.41}.
using Metrics = std::map<std::string, double>;
using Words = std::vector<std::string>;

/// Which seed: the anchor by its name and by its dense index in the Program, and the seed's place
/// among that anchor's seeds.
struct SeedRef {
    ESPER_CONTRACT(SeedRef, 1, "One seed of one anchor")
    ESPER_REQUIRED(1, std::string, layer, id(), "Anchor name, dotted, e.g. layer2.0.conv1")
    ESPER_REQUIRED(2, std::uint32_t, layer_index, any(), "Dense index of the anchor")
    ESPER_REQUIRED(3, std::uint32_t, seed, any(), "Index among the anchor's seeds")
};

}  // namespace esper::contracts
