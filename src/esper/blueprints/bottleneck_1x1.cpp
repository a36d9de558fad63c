#include "esper/blueprints/branch.h"

namespace esper::blueprints {

using namespace graph;

// Mixes channels at each position through a layer of C/4 channels: C²/2 weights.
ValueId bottleneck_1x1(Branch& branch) {
    const auto c = branch.features;
    const auto h = branch.narrow(4);
    auto down = branch.project("down", branch.x, c, h, kaiming_normal(c));
    auto trunk = relu(branch.b, branch.norm("norm", down, h), "trunk");
    return branch.readout(trunk, h);
}

}  // namespace esper::blueprints
