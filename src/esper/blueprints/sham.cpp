#include <cmath>

#include "esper/blueprints/noise_features.h"

namespace esper::blueprints {

using namespace graph;

// Adds noise that is fixed per example and has no parameters. It cannot help, because
// - it has no information about the example (see noise_features.h), so what later layers learn from
//   it on one example is useless on the next;
// - its first-order effect on the loss, s(x)·∂L/∂y, has mean zero over examples: s(x) has mean zero
//   and is uncorrelated with the gradient;
// - its second-order effect is that of added variance, which does not lower a loss near a minimum.
ValueId sham(Branch& branch) {
    constexpr std::int64_t kSize = 16;
    auto noise = noise_features(branch, kSize);
    const auto c = branch.features;
    const bool image = branch.kind == AnchorKind::kImage;
    // The features have variance ½.
    const auto std = Branch::kReadoutScale * std::sqrt(2.0 / kSize);
    auto shape = image ? std::vector<std::int64_t>{c, kSize, 1, 1} : std::vector{c, kSize};
    auto weight = branch.b.parameter("mix.weight", {DType::kFloat32, shape}, normal(std), false);
    auto mixed = branch.b.call(image ? "aten::conv2d" : "aten::linear", {noise, weight}, "mix");
    return spread(branch, mixed);
}

}  // namespace esper::blueprints
