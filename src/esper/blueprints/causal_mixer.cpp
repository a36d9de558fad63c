#include "esper/blueprints/branch.h"

namespace esper::blueprints {

using namespace graph;

// Combines each feature over this token and the three before it, then mixes features in a linear
// layer: D² + 4·D weights, a cheap way to use earlier tokens.
ValueId causal_mixer(Branch& branch) {
    constexpr std::int64_t kWindow = 4;
    auto& b = branch.b;
    const auto d = branch.features;
    auto normed = branch.norm("norm", branch.x, d);
    auto columns = b.call("aten::transpose.int", {normed, constant(1), constant(2)}, "mix");
    // Zeros before the first token only: no token sees a later one.
    auto padded =
        b.call("aten::constant_pad_nd", {columns, ints({kWindow - 1, 0}), constant(0.0)}, "mix");
    auto weight =
        b.parameter("mix.weight", {DType::kFloat32, {d, 1, kWindow}}, kaiming_normal(kWindow));
    auto mixed =
        b.call("aten::conv1d",
               {padded, weight, none(), ints({1}), ints({0}), ints({1}), constant(d)}, "mix");
    auto rows = b.call("aten::transpose.int", {mixed, constant(1), constant(2)}, "mix");
    return branch.readout(gelu(b, rows, "trunk"), d);
}

}  // namespace esper::blueprints
