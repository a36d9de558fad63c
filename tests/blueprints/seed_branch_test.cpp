#include "esper/program/edits/seed_branch.h"

#include <gtest/gtest.h>

#include "esper/blueprints/catalogue.h"
#include "esper/program/builder.h"
#include "esper/program/edits/edits.h"
#include "esper/program/text/text_format.h"

namespace esper::graph {
namespace {

constexpr std::int64_t kFeatures = 8;
constexpr std::int64_t kTokens = 5;

/// x + 1 at an anchor of tokens.
ProgramPtr host() {
    ProgramBuilder b("host");
    const auto x = b.input("x", {DType::kFloat32, {-1, kTokens, kFeatures}});
    const auto y = b.call("aten::add.Scalar", {x, constant(1.0), constant(std::int64_t{1})});
    b.anchor("middle", AnchorKind::kTokens, y, kFeatures);
    b.output("out", b.call("aten::relu", {y}));
    return value_or_throw(b.finish());
}

ProgramPtr blueprint(const std::string& name, std::int64_t begin, std::int64_t end) {
    Anchor anchor;
    anchor.name = "middle";
    anchor.kind = AnchorKind::kTokens;
    anchor.features = kFeatures;
    return value_or_throw(blueprints::make_blueprint(name, anchor,
                                                     {DType::kFloat32, {-1, kTokens, kFeatures}},
                                                     {begin, end}))
        .program;
}

/// A Program's text without its first line, which has its name.
std::string untitled(const Program& program) {
    const auto text = to_text(program);
    return text.substr(text.find('\n'));
}

TEST(SeedBranch, IsTheSameInABlueprintAndInEveryModeOfASeed) {
    for (const auto* name : {"bottleneck_mlp", "low_rank", "gated_unit", "causal_mixer"})
        for (const auto& [begin, end] : {std::pair{0, 8}, {0, 4}, {4, 8}}) {
            const auto made = blueprint(name, begin, end);
            const std::vector<std::int64_t> sample{kTokens, end - begin};
            const auto alone = value_or_throw(blueprint_branch(*made, sample));
            auto program = value_or_throw(apply(*host(), InsertSeed{"s1", "middle", name, made}));
            for (auto mode : {SeedMode::kIsolated, SeedMode::kBlended, SeedMode::kFolded}) {
                if (mode != SeedMode::kIsolated)
                    program = value_or_throw(apply(*program, SetSeedMode{"s1", mode}));
                const auto branch = value_or_throw(seed_branch(*program, "s1", sample));
                EXPECT_EQ(untitled(*branch.program), untitled(*alone.program)) << name;
                EXPECT_EQ(branch.program->hash(), alone.program->hash());
                EXPECT_EQ(branch.parameters.size(), made->parameters().size());
            }
        }
}

TEST(SeedBranch, OfAChunkIsTheBranchOfASmallerAnchor) {
    const auto half = value_or_throw(blueprint_branch(*blueprint("low_rank", 4, 8), {kTokens, 4}));
    for (const auto& item : half.program->instructions()) {
        EXPECT_NE(item.op, "aten::narrow");
        EXPECT_NE(item.op, "aten::constant_pad_nd");
    }
    const auto other = value_or_throw(blueprint_branch(*blueprint("low_rank", 0, 4), {kTokens, 4}));
    EXPECT_EQ(half.program->hash(), other.program->hash());
}

TEST(SeedBranch, ParametersAreInTheOrderOfTheirNames) {
    const auto branch =
        value_or_throw(blueprint_branch(*blueprint("bottleneck_mlp", 0, 8), {kTokens, 8}));
    const auto parameters = branch.program->parameters();
    ASSERT_GE(parameters.size(), 3U);
    for (std::size_t i = 1; i < parameters.size(); ++i)
        EXPECT_LT(parameters[i - 1].name, parameters[i].name);
}

TEST(SeedBranch, WhatTheHostReadsFromItsInsideIsNoBranch) {
    const auto made = blueprint("bottleneck_mlp", 0, 8);
    const auto grown =
        value_or_throw(apply(*host(), InsertSeed{"s1", "middle", "bottleneck_mlp", made}));
    const auto branch = value_or_throw(seed_branch(*grown, "s1", {kTokens, 8}));
    auto parts = grown->parts();
    parts.outputs.push_back({"inside", parts.instructions[branch.begin].results[0]});
    const auto looked_into = value_or_throw(Program::make(std::move(parts)));
    const auto refused = seed_branch(*looked_into, "s1", {kTokens, 8});
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(GraphError::kIllegalEdit));
    EXPECT_TRUE(seed_branch(*grown, "s2", {kTokens, 8}).error().is(GraphError::kUnknownName));
}

}  // namespace
}  // namespace esper::graph
