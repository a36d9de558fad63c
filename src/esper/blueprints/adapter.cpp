#include "esper/blueprints/adapter.h"

#include <fmt/format.h>

#include "esper/blueprints/branch.h"

namespace esper::blueprints {

using namespace graph;

namespace {

constexpr std::string_view kWideMlp = "wide_mlp";
constexpr std::string_view kWideConv = "wide_conv";
constexpr std::int64_t kWidest = 1 << 20;

}  // namespace

std::vector<std::string_view> adapter_names(AnchorKind kind) {
    if (kind == AnchorKind::kImage) return {kWideConv, kWideMlp};
    return {kWideMlp};
}

std::int64_t adapter_parameters(std::string_view name, AnchorKind kind, std::int64_t features,
                                std::int64_t width) {
    const std::int64_t taps = name == kWideConv && kind == AnchorKind::kImage ? 9 : 1;
    return (taps + 1) * features * width;
}

Result<Blueprint> make_adapter(std::string_view name, const Anchor& anchor, const TensorType& type,
                               std::int64_t width) {
    if (name != kWideMlp && name != kWideConv)
        return fail(BlueprintError::kUnknownBlueprint,
                    fmt::format("no adapter is called '{}'; there are {} and {}", name, kWideMlp,
                                kWideConv));
    const bool image = anchor.kind == AnchorKind::kImage;
    if (name == kWideConv && !image)
        return fail(BlueprintError::kWrongKind,
                    fmt::format("adapter {} is for images; the anchor '{}' carries {}", name,
                                anchor.name, anchor_kind_name(anchor.kind)));
    const std::size_t rank = image ? 4 : anchor.kind == AnchorKind::kTokens ? 3 : 2;
    const std::size_t axis = anchor.kind == AnchorKind::kTokens ? 2 : 1;
    if (type.shape.size() != rank || anchor.features < 1 || type.shape[axis] != anchor.features)
        return fail(
            BlueprintError::kBadAnchor,
            fmt::format("anchor '{}' says {} with {} features, but its value is {}", anchor.name,
                        anchor_kind_name(anchor.kind), anchor.features, to_string(type)));
    if (width < 1 || width > kWidest)
        return fail(BlueprintError::kBadAnchor,
                    fmt::format("an adapter has 1 to {} hidden units, not {}", kWidest, width));

    const auto features = anchor.features;
    ProgramBuilder b{std::string(name)};
    const auto x = b.input("x", type);
    Branch branch{b, x, anchor.kind, features, {}, {}, {}};
    // Without a gain of its own, which U can hold as well: so nothing below U takes a gradient.
    const auto normed =
        image ? b.call("aten::group_norm",
                       {x, constant(group_count(features)), none(), none(), constant(1e-5),
                        constant(true)},
                       "norm")
              : b.call("aten::rms_norm", {x, ints({features}), none(), constant(1e-6)}, "norm");
    const auto up = name == kWideConv
                        ? conv2d(b, "up", normed, {.in = features, .out = width, .kernel = 3},
                                 variance_matched(9 * features))
                        : branch.project("up", normed, features, width, variance_matched(features));
    const auto positive = relu(b, up, "trunk");
    const auto hidden = b.call("aten::mul.Tensor", {positive, positive}, "trunk");
    b.output("y", branch.project("readout", hidden, width, features, zeros()));
    ESPER_TRY(ProgramPtr program, b.finish());
    return Blueprint{
        std::string(name), program, "readout.weight", "", hidden, 0, features, true, false};
}

}  // namespace esper::blueprints
