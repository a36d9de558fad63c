#include <cmath>

#include "esper/blueprints/branch.h"

namespace esper::blueprints {

using namespace graph;

namespace {

/// Heads of at least 32 features, as many as divide `features`.
std::int64_t heads_for(std::int64_t features) {
    std::int64_t heads = 1;
    for (std::int64_t h = 2; h <= features / 32; ++h)
        if (features % h == 0) heads = h;
    return heads;
}

}  // namespace

// A whole causal block: a = attention(norm y), s(y) = a + mlp(norm(y + a)). So y + s(y) is the
// output of one more decoder layer: 12·D² weights. The fitted readout is the last layer of the MLP;
// the projection of the attention starts at the same small scale.
ValueId transformer_block(Branch& branch) {
    auto& b = branch.b;
    const auto d = branch.features;
    const auto small = normal(Branch::kReadoutScale / std::sqrt(static_cast<double>(d)));
    auto attended = causal_attention(b, "attn", branch.norm("norm1", branch.x, d),
                                     {d, heads_for(d)}, variance_matched(d), small);
    auto normed = branch.norm("norm2", add(b, branch.x, attended, "block"), d);
    auto hidden = branch.project("mlp", normed, d, 4 * d, kaiming_normal(d), true);
    auto out = branch.readout(gelu(b, hidden, "mlp"), 4 * d);
    return add(b, attended, out, "block");
}

}  // namespace esper::blueprints
