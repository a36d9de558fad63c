#include "esper/blueprints/adapter.h"

#include <fmt/format.h>

#include <algorithm>

#include "esper/blueprints/branch.h"

namespace esper::blueprints {

using namespace graph;

namespace {

constexpr std::string_view kWideMlp = "wide_mlp";
constexpr std::string_view kWideConv = "wide_conv";
constexpr std::string_view kWideMixer = "wide_mixer";
constexpr double kMixingScale = 0.25;
constexpr std::int64_t kWidest = 1 << 20;

}  // namespace

std::vector<std::string_view> adapter_names(AnchorKind kind) {
    if (kind == AnchorKind::kImage) return {kWideConv, kWideMlp};
    if (kind == AnchorKind::kTokens) return {kWideMixer, kWideMlp};
    return {kWideMlp};
}

std::vector<std::string_view> adapters_to_try(AnchorKind kind, bool mixing) {
    if (kind == AnchorKind::kTokens) return {mixing ? kWideMixer : kWideMlp};
    return adapter_names(kind);
}

std::int64_t adapter_parameters(std::string_view name, AnchorKind kind, std::int64_t features,
                                std::int64_t width) {
    const std::int64_t taps = name == kWideConv && kind == AnchorKind::kImage ? 9 : 1;
    const std::int64_t mixer = name == kWideMixer ? Branch::kMixedTokens * features : 0;
    return (taps + 1) * features * width + mixer;
}

Result<Blueprint> make_adapter(std::string_view name, const Anchor& anchor, const TensorType& type,
                               std::int64_t width) {
    if (name != kWideMlp && name != kWideConv && name != kWideMixer)
        return fail(BlueprintError::kUnknownBlueprint,
                    fmt::format("no adapter is called '{}'; there are {}, {} and {}", name,
                                kWideMlp, kWideConv, kWideMixer));
    const bool image = anchor.kind == AnchorKind::kImage;
    const auto fitting = adapter_names(anchor.kind);
    if (std::ranges::find(fitting, name) == fitting.end())
        return fail(BlueprintError::kWrongKind,
                    fmt::format("adapter {} is for {}; the anchor '{}' carries {}", name,
                                name == kWideConv ? "images" : "tokens", anchor.name,
                                anchor_kind_name(anchor.kind)));
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
    // Beside what a feature and its earlier values add to it, the feature itself.
    const auto read =
        name == kWideMixer
            ? b.call("aten::add.Tensor",
                     {normed, branch.mix_earlier_tokens(normed, normal(kMixingScale)), constant(1)},
                     "mix")
            : normed;
    const auto up = name == kWideConv
                        ? conv2d(b, "up", normed, {.in = features, .out = width, .kernel = 3},
                                 variance_matched(9 * features))
                        : branch.project("up", read, features, width, variance_matched(features));
    const auto positive = relu(b, up, "trunk");
    const auto hidden = b.call("aten::mul.Tensor", {positive, positive}, "trunk");
    b.output("y", branch.project("readout", hidden, width, features, zeros()));
    ESPER_TRY(ProgramPtr program, b.finish());
    return Blueprint{
        std::string(name), program, "readout.weight", "", hidden, 0, features, true, false};
}

}  // namespace esper::blueprints
