#include "esper/blueprints/branch.h"

namespace esper::blueprints {

using namespace graph;

// A full 3×3 convolution and a 1×1 readout: 10·C² weights.
ValueId conv_block_3x3(Branch& branch) {
    const auto c = branch.features;
    auto conv = conv2d(branch.b, "conv", branch.x, {c, c, 3}, kaiming_normal(9 * c));
    auto trunk = relu(branch.b, branch.norm("norm", conv, c), "trunk");
    return branch.readout(trunk, c);
}

}  // namespace esper::blueprints
