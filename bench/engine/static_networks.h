#pragma once
// Networks as someone would build them who knows beforehand what they are to be: the hosts of
// engine_cases.h with a branch at each anchor, written out layer by layer. No seed, no edit and no
// blueprint has a part in them; the peers of what grew.

#include <cmath>
#include <stdexcept>
#include <string>

#include "esper/core/hosts/host.h"
#include "esper/program/layers.h"

namespace bench {

using esper::graph::ProgramBuilder;
using esper::graph::ProgramPtr;
using esper::graph::ValueId;

/// x W₂ gelu(W₁ rms(x)), half as wide in between.
inline ValueId bottleneck(ProgramBuilder& b, const std::string& name, ValueId x, std::int64_t d) {
    using namespace esper::graph;
    auto normed = rms_norm(b, name + ".norm", x, d);
    auto down = linear(b, name + ".down", normed, {d, d / 2, true}, kaiming_normal(d));
    return linear(b, name + ".up", gelu(b, down, name), {d / 2, d, true}, normal(0.01));
}

/// 1×1 of relu(norm(3×3)).
inline ValueId conv_branch(ProgramBuilder& b, const std::string& name, ValueId x, std::int64_t c) {
    using namespace esper::graph;
    auto conv = conv2d(b, name + ".conv", x, {c, c, 3}, kaiming_normal(9 * c));
    auto trunk = relu(b, group_norm(b, name + ".norm", conv, c), name);
    return conv2d(b, name + ".out", trunk, {.in = c, .out = c, .kernel = 1, .bias = true},
                  normal(0.01));
}

/// One more pre-norm block of a decoder, without its residual.
inline ValueId decoder_branch(ProgramBuilder& b, const std::string& name, ValueId x,
                              std::int64_t d) {
    using namespace esper::graph;
    auto attended = causal_attention(b, name + ".attn", rms_norm(b, name + ".norm1", x, d), {d, 4},
                                     variance_matched(d), normal(0.01));
    auto normed = rms_norm(b, name + ".norm2", add(b, x, attended, name), d);
    auto hidden = linear(b, name + ".fc", normed, {d, 4 * d, true}, kaiming_normal(d));
    auto out = linear(b, name + ".proj", gelu(b, hidden, name), {4 * d, d, true}, normal(0.01));
    return add(b, attended, out, name);
}

inline ProgramPtr static_mlp(const esper::core::HostSpec& spec) {
    using namespace esper::graph;
    ProgramBuilder b("static mlp");
    auto h = b.input("x", {DType::kFloat32, {-1, spec.features}});
    auto in = spec.features;
    for (std::int64_t i = 0; i < spec.depth; ++i) {
        const auto name = "layers." + std::to_string(i);
        h = relu(b, linear(b, name, h, {in, spec.width}, kaiming_normal(in)), name);
        h = add(b, h, bottleneck(b, name + ".more", h, spec.width), name);
        in = spec.width;
    }
    const auto bound = 1.0 / std::sqrt(static_cast<double>(in));
    b.output("logits", linear(b, "head", h, {in, spec.classes}, uniform(bound)));
    return esper::value_or_throw(b.finish());
}

inline ProgramPtr static_resnet8(const esper::core::HostSpec& spec) {
    using namespace esper::graph;
    ProgramBuilder b("static resnet8");
    auto conv_bn = [&](const std::string& name, ValueId x, ConvShape shape) {
        const auto fan_out = shape.kernel * shape.kernel * shape.out;
        return batch_norm(b, name + ".bn", conv2d(b, name, x, shape, kaiming_normal(fan_out)),
                          shape.out);
    };
    auto x = b.input("x", {DType::kFloat32, {-1, spec.channels, spec.image_size, spec.image_size}});
    auto h = relu(b, conv_bn("conv1", x, {spec.channels, spec.width, 3}), "conv1");
    auto in = spec.width;
    for (int stage = 1; stage <= 3; ++stage) {
        const auto name = "layer" + std::to_string(stage);
        const auto out = spec.width << (stage - 1);
        const std::int64_t stride = stage > 1 ? 2 : 1;
        auto inner = relu(b, conv_bn(name + ".conv1", h, {in, out, 3, stride}), name);
        auto branch = conv_bn(name + ".conv2", inner, {out, out, 3});
        auto shortcut = stage == 1 ? h : conv_bn(name + ".down", h, {in, out, 1, stride});
        h = relu(b, add(b, branch, shortcut, name), name);
        h = add(b, h, conv_branch(b, name + ".more", h, out), name);
        in = out;
    }
    auto pooled = b.call("aten::mean.dim", {h, ints({2, 3}), constant(false)}, "pool");
    const auto bound = 1.0 / std::sqrt(static_cast<double>(in));
    b.output("logits", linear(b, "fc", pooled, {in, spec.classes}, uniform(bound)));
    return esper::value_or_throw(b.finish());
}

inline ProgramPtr static_gpt(const esper::core::HostSpec& spec) {
    using namespace esper::graph;
    const auto d = spec.width;
    ProgramBuilder b("static gpt");
    auto x = b.input("x", {DType::kInt64, {-1, spec.context}});
    auto tokens = b.parameter("tok.weight", {DType::kFloat32, {spec.classes, d}}, normal(0.02));
    auto places = b.parameter("pos.weight", {DType::kFloat32, {spec.context, d}}, normal(0.02));
    auto h = add(b, b.call("aten::embedding", {tokens, x}, "tok"), places, "pos");
    for (std::int64_t i = 0; i < spec.depth; ++i) {
        const auto name = "blocks." + std::to_string(i);
        h = add(b, h,
                causal_attention(b, name + ".attn", layer_norm(b, name + ".ln1", h, d),
                                 {d, spec.heads}, normal(0.02), normal(0.01)),
                name);
        auto inner =
            linear(b, name + ".fc", layer_norm(b, name + ".ln2", h, d), {d, 4 * d}, normal(0.02));
        h = add(b, h, linear(b, name + ".proj", gelu(b, inner, name), {4 * d, d}, normal(0.01)),
                name);
        h = add(b, h, decoder_branch(b, name + ".more", h, d), name);
    }
    h = layer_norm(b, "ln_f", h, d);
    b.output("logits", linear(b, "head", h, {d, spec.classes, false}, normal(0.02)));
    return esper::value_or_throw(b.finish());
}

/// The host `name` of engine_cases.h with the branch that `blueprint` is, at each of its anchors.
inline ProgramPtr static_network(const std::string& name, const esper::core::HostSpec& spec,
                                 const std::string& blueprint) {
    if (name == "mlp" && blueprint == "bottleneck_mlp") return static_mlp(spec);
    if (name == "resnet8" && blueprint == "conv_block_3x3") return static_resnet8(spec);
    if (name == "gpt" && blueprint == "transformer_block") return static_gpt(spec);
    throw std::invalid_argument("no static " + name + " with " + blueprint);
}

}  // namespace bench
