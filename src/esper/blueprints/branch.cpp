#include "esper/blueprints/branch.h"

#include <algorithm>
#include <cmath>

namespace esper::blueprints {

using namespace graph;

std::int64_t Branch::narrow(std::int64_t ratio) const {
    return std::max<std::int64_t>(8, features / ratio);
}

ValueId Branch::norm(const std::string& name, ValueId value, std::int64_t size) {
    return kind == AnchorKind::kImage ? group_norm(b, name, value, size)
                                      : rms_norm(b, name, value, size);
}

ValueId Branch::project(const std::string& name, ValueId value, std::int64_t in, std::int64_t out,
                        Init init, bool bias) {
    if (kind == AnchorKind::kImage)
        return conv2d(b, name, value, {.in = in, .out = out, .kernel = 1, .bias = bias}, init);
    return linear(b, name, value, {in, out, bias}, init);
}

ValueId Branch::mix_earlier_tokens(ValueId value, Init init) {
    auto columns = b.call("aten::transpose.int", {value, constant(1), constant(2)}, "mix");
    // Zeros before the first token only.
    auto padded = b.call("aten::constant_pad_nd",
                         {columns, ints({kMixedTokens - 1, 0}), constant(0.0)}, "mix");
    auto weight = b.parameter("mix.weight", {DType::kFloat32, {features, 1, kMixedTokens}}, init);
    auto mixed = b.call(
        "aten::conv1d",
        {padded, weight, none(), ints({1}), ints({0}), ints({1}), constant(features)}, "mix");
    return b.call("aten::transpose.int", {mixed, constant(1), constant(2)}, "mix");
}

ValueId Branch::readout(ValueId h, std::int64_t in, bool bias) {
    readout_weight = "readout.weight";
    if (bias) readout_bias = "readout.bias";
    readout_input = h;
    auto std = kReadoutScale / std::sqrt(static_cast<double>(in));
    return project("readout", h, in, features, normal(std), bias);
}

}  // namespace esper::blueprints
