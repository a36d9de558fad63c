#include "esper/blueprints/noise_features.h"

#include <cmath>
#include <numbers>

namespace esper::blueprints {

using namespace graph;

ValueId noise_features(Branch& branch, std::int64_t size) {
    auto& b = branch.b;
    const bool image = branch.kind == AnchorKind::kImage;
    const auto d = branch.features;
    auto x = b.call("aten::detach", {branch.x}, "noise");
    if (image) x = b.call("aten::mean.dim", {x, ints({2, 3}), constant(false)}, "noise");
    // Without a weight, since nothing here shall be learned.
    auto normed = b.call("aten::rms_norm", {x, ints({d}), none(), constant(1e-6)}, "noise");
    const auto scale = 100.0 / std::sqrt(static_cast<double>(d));
    auto weight = b.parameter("noise.weight", {DType::kFloat32, {size, d}}, normal(scale), false);
    auto phase =
        b.parameter("noise.bias", {DType::kFloat32, {size}}, uniform(std::numbers::pi), false);
    auto noise =
        b.call("aten::sin", {b.call("aten::linear", {normed, weight, phase}, "noise")}, "noise");
    return image ? b.call("aten::unflatten.int", {noise, constant(1), ints({size, 1, 1})}, "noise")
                 : noise;
}

ValueId spread(Branch& branch, ValueId value) {
    if (branch.kind != AnchorKind::kImage) return value;
    return branch.b.call("aten::expand_as", {value, branch.x}, "noise");
}

}  // namespace esper::blueprints
