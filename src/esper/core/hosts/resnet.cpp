#include <fmt/format.h>

#include <cmath>

#include "esper/core/hosts/makers.h"
#include "esper/program/layers.h"

namespace esper::core {

using namespace graph;

namespace {

ValueId conv_bn(ProgramBuilder& b, const std::string& conv, const std::string& norm, ValueId x,
                ConvShape shape) {
    auto fan_out = shape.kernel * shape.kernel * shape.out;
    return batch_norm(b, norm, conv2d(b, conv, x, shape, kaiming_normal(fan_out)), shape.out);
}

ValueId basic_block(ProgramBuilder& b, const std::string& name, ValueId x, std::int64_t in,
                    std::int64_t out, std::int64_t stride) {
    auto inner = conv_bn(b, name + ".conv1", name + ".bn1", x, {in, out, 3, stride});
    inner = relu(b, inner, name);
    auto branch = conv_bn(b, name + ".conv2", name + ".bn2", inner, {out, out, 3});
    auto shortcut = x;
    if (stride != 1 || in != out)
        shortcut =
            conv_bn(b, name + ".downsample.0", name + ".downsample.1", x, {in, out, 1, stride});
    auto y = relu(b, add(b, branch, shortcut, name), name);
    b.anchor(name, AnchorKind::kImage, y, out, inner);
    return y;
}

}  // namespace

Result<ProgramPtr> make_resnet(const HostSpec& spec) {
    ESPER_CHECK_STATUS(check_size(spec, "depth", spec.depth, 8, 6'002));
    ESPER_CHECK_STATUS(check_size(spec, "width", spec.width, 1, 1 << 14));
    ESPER_CHECK_STATUS(check_size(spec, "classes", spec.classes, 1, 1 << 24));
    ESPER_CHECK_STATUS(check_size(spec, "channels", spec.channels, 1, 4096));
    ESPER_CHECK_STATUS(check_size(spec, "image_size", spec.image_size, 4, 4096));
    if ((spec.depth - 2) % 6 != 0)
        return fail(CoreError::kBadHostSpec,
                    fmt::format("resnet needs a depth of 6n + 2 (8, 14, 20, …), got {}; the "
                                "nearest are {} and {}",
                                spec.depth, spec.depth - (spec.depth - 2) % 6,
                                spec.depth + 6 - (spec.depth - 2) % 6));

    ProgramBuilder b(fmt::format("resnet{}-w{}", spec.depth, spec.width));
    auto x = b.input("x", {DType::kFloat32, {-1, spec.channels, spec.image_size, spec.image_size}});
    auto h = relu(b, conv_bn(b, "conv1", "bn1", x, {spec.channels, spec.width, 3}), "conv1");
    auto in = spec.width;
    for (std::int64_t stage = 0; stage < 3; ++stage) {
        auto out = spec.width << stage;
        for (std::int64_t i = 0; i < (spec.depth - 2) / 6; ++i) {
            auto stride = stage > 0 && i == 0 ? 2 : 1;
            h = basic_block(b, fmt::format("layer{}.{}", stage + 1, i), h, in, out, stride);
            in = out;
        }
    }
    auto pooled = b.call("aten::mean.dim", {h, ints({2, 3}), constant(false)}, "pool");
    auto bound = 1.0 / std::sqrt(static_cast<double>(in));
    b.output("logits", linear(b, "fc", pooled, {in, spec.classes}, uniform(bound)));
    return b.finish();
}

}  // namespace esper::core
