#include "esper/program/layers.h"

#include <cmath>

namespace esper::graph {

namespace {

TensorType floats(std::vector<std::int64_t> shape) { return {DType::kFloat32, std::move(shape)}; }

Argument bias_or_none(ProgramBuilder& b, const std::string& name, std::int64_t size, bool wanted) {
    if (!wanted) return none();
    return b.parameter(name + ".bias", floats({size}), zeros());
}

}  // namespace

Init kaiming_normal(std::int64_t fan) { return normal(std::sqrt(2.0 / static_cast<double>(fan))); }

Init variance_matched(std::int64_t fan_in) {
    return normal(std::sqrt(1.0 / static_cast<double>(fan_in)));
}

ValueId linear(ProgramBuilder& b, const std::string& name, ValueId x, LinearShape shape,
               Init init) {
    auto weight = b.parameter(name + ".weight", floats({shape.out, shape.in}), init);
    auto bias = bias_or_none(b, name, shape.out, shape.bias);
    return b.call("aten::linear", {x, weight, bias}, name);
}

ValueId conv2d(ProgramBuilder& b, const std::string& name, ValueId x, ConvShape shape, Init init) {
    auto weight =
        b.parameter(name + ".weight",
                    floats({shape.out, shape.in / shape.groups, shape.kernel, shape.kernel}), init);
    auto bias = bias_or_none(b, name, shape.out, shape.bias);
    auto padding = shape.kernel / 2;
    return b.call("aten::conv2d",
                  {x, weight, bias, ints({shape.stride, shape.stride}), ints({padding, padding}),
                   ints({1, 1}), constant(shape.groups)},
                  name);
}

ValueId batch_norm(ProgramBuilder& b, const std::string& name, ValueId x, std::int64_t features) {
    auto type = floats({features});
    auto weight = b.parameter(name + ".weight", type, ones());
    auto bias = b.parameter(name + ".bias", type, zeros());
    auto mean = b.buffer(name + ".running_mean", type, zeros());
    auto variance = b.buffer(name + ".running_var", type, ones());
    return b.call("aten::batch_norm",
                  {x, weight, bias, mean, variance, training_flag(), constant(0.1), constant(1e-5),
                   constant(true)},
                  name);
}

std::int64_t group_count(std::int64_t features) {
    for (std::int64_t groups : {8, 4, 2})
        if (features % groups == 0 && features / groups >= 4) return groups;
    return 1;
}

ValueId group_norm(ProgramBuilder& b, const std::string& name, ValueId x, std::int64_t features) {
    auto weight = b.parameter(name + ".weight", floats({features}), ones());
    auto bias = b.parameter(name + ".bias", floats({features}), zeros());
    return b.call(
        "aten::group_norm",
        {x, constant(group_count(features)), weight, bias, constant(1e-5), constant(true)}, name);
}

ValueId layer_norm(ProgramBuilder& b, const std::string& name, ValueId x, std::int64_t features) {
    auto weight = b.parameter(name + ".weight", floats({features}), ones());
    auto bias = b.parameter(name + ".bias", floats({features}), zeros());
    return b.call("aten::layer_norm",
                  {x, ints({features}), weight, bias, constant(1e-5), constant(true)}, name);
}

ValueId rms_norm(ProgramBuilder& b, const std::string& name, ValueId x, std::int64_t features) {
    auto weight = b.parameter(name + ".weight", floats({features}), ones());
    return b.call("aten::rms_norm", {x, ints({features}), weight, constant(1e-6)}, name);
}

ValueId causal_attention(ProgramBuilder& b, const std::string& name, ValueId x,
                         AttentionShape shape, Init qkv, Init proj) {
    auto head = shape.features / shape.heads;
    auto mixed = linear(b, name + ".qkv", x, {shape.features, 3 * shape.features, shape.bias}, qkv);
    // [N, T, 3·D] → [3, N, heads, T, head], without naming N or T.
    auto split =
        b.call("aten::unflatten.int", {mixed, constant(2), ints({3, shape.heads, head})}, name);
    auto heads = b.call("aten::permute", {split, ints({2, 0, 3, 1, 4})}, name);
    auto part = [&](int index) {
        return b.call("aten::select.int", {heads, constant(0), constant(index)}, name);
    };
    auto q = part(0);
    auto k = part(1);
    auto v = part(2);
    auto attended = b.call("aten::scaled_dot_product_attention",
                           {q, k, v, none(), constant(0.0), constant(true)}, name);
    auto rows = b.call("aten::transpose.int", {attended, constant(1), constant(2)}, name);
    auto joined = b.call("aten::flatten.using_ints", {rows, constant(2), constant(3)}, name);
    return linear(b, name + ".proj", joined, {shape.features, shape.features, shape.bias}, proj);
}

ValueId relu(ProgramBuilder& b, ValueId x, const std::string& scope) {
    return b.call("aten::relu", {x}, scope);
}
ValueId gelu(ProgramBuilder& b, ValueId x, const std::string& scope) {
    return b.call("aten::gelu", {x, constant("tanh")}, scope);
}
ValueId add(ProgramBuilder& b, ValueId x, ValueId y, const std::string& scope) {
    return b.call("aten::add.Tensor", {x, y}, scope);
}

}  // namespace esper::graph
