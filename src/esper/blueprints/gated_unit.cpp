#include "esper/blueprints/branch.h"

namespace esper::blueprints {

using namespace graph;

// SwiGLU (Shazeer, 2020) with as many hidden features as the anchor has: 3·D² weights.
ValueId gated_unit(Branch& branch) {
    auto& b = branch.b;
    const auto d = branch.features;
    auto normed = branch.norm("norm", branch.x, d);
    auto gate =
        b.call("aten::silu", {branch.project("gate", normed, d, d, kaiming_normal(d))}, "trunk");
    auto value = branch.project("value", normed, d, d, kaiming_normal(d));
    return branch.readout(b.call("aten::mul.Tensor", {gate, value}, "trunk"), d);
}

}  // namespace esper::blueprints
