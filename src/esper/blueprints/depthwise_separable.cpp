#include "esper/blueprints/branch.h"

namespace esper::blueprints {

using namespace graph;

// 3×3 within each channel, then 1×1 across them: C² + 9·C weights. (Howard et al., MobileNets,
// 2017)
ValueId depthwise_separable(Branch& branch) {
    const auto c = branch.features;
    auto conv = conv2d(branch.b, "depthwise", branch.x, {c, c, 3, 1, c}, kaiming_normal(9));
    auto trunk = relu(branch.b, branch.norm("norm", conv, c), "trunk");
    return branch.readout(trunk, c);
}

}  // namespace esper::blueprints
