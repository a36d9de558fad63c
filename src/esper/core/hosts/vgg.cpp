#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "esper/core/hosts/makers.h"
#include "esper/program/layers.h"

namespace esper::core {

using namespace graph;

namespace {

/// Convolutions per stage; gives the published 11, 13, 16 and 19 (whose numbers count three linear
/// layers) and continues them to any depth.
std::array<std::int64_t, 5> stage_sizes(std::int64_t depth) {
    auto convolutions = depth - 3;
    auto early = std::min<std::int64_t>(2, convolutions / 5);
    auto late = convolutions - 2 * early;
    return {early, early, late / 3, (late + 1) / 3, (late + 2) / 3};
}

}  // namespace

Result<ProgramPtr> make_vgg(const HostSpec& spec) {
    ESPER_CHECK_STATUS(check_size(spec, "depth", spec.depth, 8, 1'000));
    ESPER_CHECK_STATUS(check_size(spec, "width", spec.width, 1, 1 << 14));
    ESPER_CHECK_STATUS(check_size(spec, "classes", spec.classes, 1, 1 << 24));
    ESPER_CHECK_STATUS(check_size(spec, "channels", spec.channels, 1, 4096));
    // Five poolings halve the picture.
    ESPER_CHECK_STATUS(check_size(spec, "image_size", spec.image_size, 32, 4096));

    ProgramBuilder b(fmt::format("vgg{}-w{}", spec.depth, spec.width));
    auto h = b.input("x", {DType::kFloat32, {-1, spec.channels, spec.image_size, spec.image_size}});
    auto in = spec.channels;
    auto sizes = stage_sizes(spec.depth);
    // Numbered as the modules of an nn.Sequential: convolution, norm, ReLU, …, pooling.
    int module = 0;
    for (std::size_t stage = 0; stage < sizes.size(); ++stage) {
        auto out = spec.width << std::min<std::size_t>(stage, 3);
        for (std::int64_t i = 0; i < sizes[stage]; ++i) {
            auto name = fmt::format("features.{}", module++);
            auto x = h;
            h = conv2d(b, name, x, {in, out, 3, 1, 1, !spec.batch_norm}, kaiming_normal(9 * out));
            if (spec.batch_norm) h = batch_norm(b, fmt::format("features.{}", module++), h, out);
            h = relu(b, h, fmt::format("features.{}", module++));
            b.anchor(name, AnchorKind::kImage, h, out, x);
            in = out;
        }
        h = b.call("aten::max_pool2d", {h, ints({2, 2}), ints({2, 2})},
                   fmt::format("features.{}", module++));
    }
    auto pooled = b.call("aten::mean.dim", {h, ints({2, 3}), constant(false)}, "pool");
    auto bound = 1.0 / std::sqrt(static_cast<double>(in));
    b.output("logits", linear(b, "classifier", pooled, {in, spec.classes}, uniform(bound)));
    return b.finish();
}

}  // namespace esper::core
