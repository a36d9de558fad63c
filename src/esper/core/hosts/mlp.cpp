#include <cmath>

#include "esper/core/hosts/makers.h"
#include "esper/program/layers.h"

namespace esper::core {

using namespace graph;

Result<ProgramPtr> make_mlp(const HostSpec& spec) {
    ESPER_CHECK_STATUS(check_size(spec, "depth", spec.depth, 1, 10'000));
    ESPER_CHECK_STATUS(check_size(spec, "width", spec.width, 1, 1 << 20));
    ESPER_CHECK_STATUS(check_size(spec, "classes", spec.classes, 1, 1 << 24));
    ESPER_CHECK_STATUS(check_size(spec, "features", spec.features, 0, 1 << 24));

    ProgramBuilder b("mlp-" + std::to_string(spec.depth) + "x" + std::to_string(spec.width));
    ValueId h;
    auto in = spec.features;
    if (in > 0) {
        h = b.input("x", {DType::kFloat32, {-1, in}});
    } else {
        ESPER_CHECK_STATUS(check_size(spec, "channels", spec.channels, 1, 4096));
        ESPER_CHECK_STATUS(check_size(spec, "image_size", spec.image_size, 1, 4096));
        in = spec.channels * spec.image_size * spec.image_size;
        auto x =
            b.input("x", {DType::kFloat32, {-1, spec.channels, spec.image_size, spec.image_size}});
        h = b.call("aten::flatten.using_ints", {x, constant(1), constant(-1)});
    }
    for (std::int64_t i = 0; i < spec.depth; ++i) {
        auto name = "layers." + std::to_string(i);
        auto x = h;
        h = relu(b, linear(b, name, x, {in, spec.width}, kaiming_normal(in)), name);
        b.anchor(name, AnchorKind::kVector, h, spec.width, x);
        in = spec.width;
    }
    auto bound = 1.0 / std::sqrt(static_cast<double>(in));
    b.output("logits", linear(b, "head", h, {in, spec.classes}, uniform(bound)));
    return b.finish();
}

}  // namespace esper::core
