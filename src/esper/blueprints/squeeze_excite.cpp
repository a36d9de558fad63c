#include "esper/blueprints/branch.h"

namespace esper::blueprints {

using namespace graph;

// Weighs channels by their means over the whole picture (Hu et al., CVPR 2018), then a 1×1 readout.
ValueId squeeze_excite(Branch& branch) {
    auto& b = branch.b;
    const auto c = branch.features;
    const auto h = branch.narrow(4);
    auto normed = branch.norm("norm", branch.x, c);
    auto squeezed = b.call("aten::mean.dim", {branch.x, ints({2, 3}), constant(true)}, "squeeze");
    auto hidden =
        relu(b, branch.project("down", squeezed, c, h, kaiming_normal(c), true), "excite");
    auto gate = b.call("aten::sigmoid",
                       {branch.project("up", hidden, h, c, variance_matched(h), true)}, "excite");
    return branch.readout(b.call("aten::mul.Tensor", {normed, gate}, "scale"), c);
}

}  // namespace esper::blueprints
