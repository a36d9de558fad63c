#include "esper/blueprints/branch.h"

namespace esper::blueprints {

using namespace graph;

// Combines each feature over this token and the three before it, then mixes features in a linear
// layer: D² + 4·D weights, a cheap way to use earlier tokens.
ValueId causal_mixer(Branch& branch) {
    const auto d = branch.features;
    auto normed = branch.norm("norm", branch.x, d);
    auto rows = branch.mix_earlier_tokens(normed, kaiming_normal(Branch::kMixedTokens));
    return branch.readout(gelu(branch.b, rows, "trunk"), d);
}

}  // namespace esper::blueprints
