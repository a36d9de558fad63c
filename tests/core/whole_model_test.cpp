#include "esper/core/whole_model.h"

#include <gtest/gtest.h>

#include "esper/blueprints/catalogue.h"
#include "esper/core/foreign_host.h"
#include "esper/core/hosts/host.h"
#include "esper/program/builder.h"
#include "esper/program/edits/edits.h"
#include "esper/program/shapes.h"

namespace esper::core {
namespace {

using namespace graph;

template <typename T>
T checked(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().to_string());
    return std::move(*result);
}

struct Models {
    ProgramPtr whole;    ///< the model itself
    ProgramPtr foreign;  ///< only its anchors, as core::foreign_host makes it
};

Models model() {
    auto whole = checked(make_host({.kind = "mlp", .depth = 3, .width = 12, .features = 6}));
    const auto types = checked(infer_types(*whole));
    std::vector<ForeignAnchor> anchors;
    for (const auto& a : whole->anchors())
        anchors.push_back({a.name, a.kind, types[a.value.value()].shape});
    return {whole, checked(foreign_host("theirs", anchors))};
}

TEST(WholeModel, HasTheSeedsOfTheHostThatStandsForItAsIfTheyHadBeenPutIntoIt) {
    const auto [whole, foreign] = model();
    EXPECT_EQ(checked(with_seeds_of(*foreign, whole))->hash(), whole->hash());
    ASSERT_GE(foreign->anchors().size(), 2U);
    auto directly = whole;
    auto standing = foreign;
    const auto edit = [&](const Edit& e) {
        directly = checked(apply(*directly, e));
        standing = checked(apply(*standing, e));
    };
    int n = 0;
    for (const auto* blueprint : {"gated_unit", "low_rank", "bottleneck_mlp"}) {
        const auto& anchor = foreign->anchors()[n == 0 ? 0 : 1];
        auto made = checked(
            blueprints::make_blueprint(blueprint, anchor, foreign->find_input(anchor.name)->type));
        edit(InsertSeed{"s" + std::to_string(++n), anchor.name, blueprint, made.program});
        EXPECT_EQ(checked(with_seeds_of(*standing, whole))->hash(), directly->hash());
    }
    edit(SetSeedMode{"s1", SeedMode::kBlended});
    edit(SetSeedMode{"s3", SeedMode::kFolded});
    EXPECT_EQ(checked(with_seeds_of(*standing, whole))->hash(), directly->hash());
}

TEST(WholeModel, HandsOutWhatFlowsAtItsAnchors) {
    const auto [whole, foreign] = model();
    const auto name = whole->anchors()[1].name;
    const auto shown = checked(with_anchor_outputs(*whole, {name}));
    EXPECT_EQ(shown->find_output("anchor." + name)->value, whole->anchors()[1].value);
}

TEST(WholeModel, RefusesSeedsWhereTheValueIsOverwrittenLater) {
    ProgramBuilder b("overwrites");
    const auto y = b.call("aten::tanh", {b.input("x", {DType::kFloat32, {-1, 8}})});
    b.anchor("layer", AnchorKind::kVector, y, 8);
    b.output("y", b.call("aten::relu_", {y}));
    const auto whole = checked(b.finish());
    auto foreign = checked(foreign_host("theirs", {{"layer", AnchorKind::kVector, {-1, 8}}}));
    auto made = checked(blueprints::make_blueprint("low_rank", foreign->anchors()[0],
                                                   foreign->find_input("layer")->type));
    foreign = checked(apply(*foreign, InsertSeed{"s1", "layer", "low_rank", made.program}));
    auto refused = with_seeds_of(*foreign, whole);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(GraphError::kIllegalEdit));
}

TEST(WholeModel, RefusesSeedsAtAnAnchorThatItLacks) {
    const auto [whole, foreign] = model();
    auto parts = whole->parts();
    parts.anchors.erase(parts.anchors.begin());
    const auto fewer = checked(Program::make(std::move(parts)));
    const auto& anchor = foreign->anchors()[0];
    auto made = checked(
        blueprints::make_blueprint("low_rank", anchor, foreign->find_input(anchor.name)->type));
    const auto grown =
        checked(apply(*foreign, InsertSeed{"s1", anchor.name, "low_rank", made.program}));
    auto refused = with_seeds_of(*grown, fewer);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(GraphError::kUnknownName));
    EXPECT_FALSE(with_anchor_outputs(*fewer, {anchor.name}));
}

}  // namespace
}  // namespace esper::core
