#include "esper/blueprints/branch.h"

namespace esper::blueprints {

using namespace graph;

// Norm, half as many features, GELU, and back: D² weights.
ValueId bottleneck_mlp(Branch& branch) {
    const auto d = branch.features;
    const auto h = branch.narrow(2);
    auto normed = branch.norm("norm", branch.x, d);
    auto down = branch.project("down", normed, d, h, kaiming_normal(d), true);
    return branch.readout(gelu(branch.b, down, "trunk"), h);
}

}  // namespace esper::blueprints
