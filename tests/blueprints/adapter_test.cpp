#include "esper/blueprints/adapter.h"

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "program/run_program.h"

namespace esper::blueprints {
namespace {

using graph::Anchor;
using graph::AnchorKind;
using graph::DType;
using graph::TensorType;
using graph::testing::Bench;
using graph::testing::input_for;

struct Place {
    Anchor anchor;
    TensorType type;
};
Place place(AnchorKind kind) {
    Anchor anchor{"here", kind, graph::ValueId(0), {}, 24};
    if (kind == AnchorKind::kImage) return {anchor, {DType::kFloat32, {-1, 24, 6, 6}}};
    if (kind == AnchorKind::kTokens) return {anchor, {DType::kFloat32, {-1, 12, 24}}};
    return {anchor, {DType::kFloat32, {-1, 24}}};
}
constexpr AnchorKind kKinds[] = {AnchorKind::kImage, AnchorKind::kVector, AnchorKind::kTokens};

TEST(Adapter, HasTheParametersItWasSaidToHave) {
    for (const auto kind : kKinds)
        for (const auto name : adapter_names(kind))
            for (const std::int64_t width : {1, 7, 96}) {
                const auto made = make_adapter(name, place(kind).anchor, place(kind).type, width);
                ASSERT_TRUE(made) << made.error().to_string();
                EXPECT_EQ(made->program->parameter_count(),
                          adapter_parameters(name, kind, 24, width))
                    << name << " " << width;
            }
}

TEST(Adapter, BeginsAsNoChange) {
    for (const auto kind : kKinds)
        for (const auto name : adapter_names(kind)) {
            const auto made = make_adapter(name, place(kind).anchor, place(kind).type, 16);
            ASSERT_TRUE(made) << made.error().to_string();
            Bench bench(made->program);
            const auto y = bench.run({input_for(bench.program->inputs()[0], 8)})[0];
            EXPECT_EQ(y.abs().max().item<float>(), 0.0F) << name;
        }
}

TEST(Adapter, OfTokensThatMixesHearsEarlierTokensAndNoLaterOne) {
    const auto at = place(AnchorKind::kTokens);
    const auto made = make_adapter("wide_mixer", at.anchor, at.type, 16);
    ASSERT_TRUE(made) << made.error().to_string();
    Bench bench(made->program);
    bench.store.find_parameter("readout.weight")->value.fill_(0.1);
    auto x = input_for(bench.program->inputs()[0], 2);
    const auto before = bench.run({x})[0];
    x = x.clone();
    x.select(1, 3).add_(1.0);
    const auto changed = (bench.run({x})[0] - before).abs().amax({0, 2});
    for (std::int64_t t = 0; t < changed.size(0); ++t)
        EXPECT_EQ(changed[t].item<float>() > 0, t >= 3 && t < 7) << "token " << t;
}

TEST(Adapter, RefusesWhatDoesNotFit) {
    const auto tokens = place(AnchorKind::kTokens);
    const auto refused = [&](std::string_view name, const TensorType& type, std::int64_t width) {
        const auto made = make_adapter(name, tokens.anchor, type, width);
        return made ? std::string("made") : std::string(made.error().name());
    };
    EXPECT_EQ(refused("wide_conv", tokens.type, 8), "WrongKind");
    const auto image = place(AnchorKind::kImage);
    EXPECT_EQ(make_adapter("wide_mixer", image.anchor, image.type, 8).error().name(), "WrongKind");
    EXPECT_EQ(refused("bottleneck_mlp", tokens.type, 8), "UnknownBlueprint");
    EXPECT_EQ(refused("wide_mlp", {DType::kFloat32, {-1, 24}}, 8), "BadAnchor");
    EXPECT_EQ(refused("wide_mlp", tokens.type, 0), "BadAnchor");
    EXPECT_EQ(refused("wide_mlp", tokens.type, std::int64_t{1} << 40), "BadAnchor");
}

}  // namespace
}  // namespace esper::blueprints
