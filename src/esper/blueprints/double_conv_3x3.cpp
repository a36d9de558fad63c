#include "esper/blueprints/branch.h"

namespace esper::blueprints {

using namespace graph;

// The weights of a ResNet's basic block, and a 1×1 readout: 19·C² weights, sees 5×5.
ValueId double_conv_3x3(Branch& branch) {
    const auto c = branch.features;
    auto h = branch.x;
    for (const char* index : {"0", "1"}) {
        const std::string name(index);
        h = conv2d(branch.b, "conv" + name, h, {c, c, 3}, kaiming_normal(9 * c));
        h = relu(branch.b, branch.norm("norm" + name, h, c), "trunk");
    }
    return branch.readout(h, c);
}

}  // namespace esper::blueprints
