#include "esper/core/foreign_host.h"

#include <gtest/gtest.h>

#include "esper/blueprints/catalogue.h"
#include "esper/core/errors.h"
#include "esper/exchange/exporters/pytorch_code.h"
#include "esper/program/edits/edits.h"

namespace esper::core {
namespace {

using namespace graph;

const std::vector<ForeignAnchor> kAnchors{{"stem", AnchorKind::kImage, {-1, 8, 6, 6}},
                                          {"layers.0", AnchorKind::kTokens, {-1, 5, 16}},
                                          {"head", AnchorKind::kVector, {-1, 12}}};

ProgramPtr host() {
    auto made = foreign_host("theirs", kAnchors);
    EXPECT_TRUE(made) << made.error().to_string();
    return *made;
}

ProgramPtr with_seed(const ProgramPtr& program, const std::string& anchor,
                     const std::string& blueprint, const std::string& seed) {
    const auto* at = program->find_anchor(anchor);
    auto made = blueprints::make_blueprint(blueprint, *at, program->find_input(anchor)->type);
    EXPECT_TRUE(made) << made.error().to_string();
    auto grown = apply(*program, InsertSeed{seed, anchor, blueprint, made->program});
    EXPECT_TRUE(grown) << grown.error().to_string();
    return *grown;
}

TEST(ForeignHost, HandsEachAnchorBackUnchanged) {
    auto program = host();
    EXPECT_TRUE(program->instructions().empty());
    for (const auto& anchor : program->anchors()) {
        EXPECT_EQ(program->find_output(anchor.name)->value, anchor.value);
        auto seeds = seeds_at(*program, anchor.name);
        ASSERT_TRUE(seeds) << seeds.error().to_string();
        EXPECT_EQ(*seeds, nullptr);
    }
    EXPECT_EQ(program->find_anchor("layers.0")->features, 16);
}

TEST(ForeignHost, GivesTheSeedsOfOneAnchorAsAProgramOfTheirOwn) {
    auto program = with_seed(host(), "stem", "bottleneck_1x1", "s1");
    program = with_seed(program, "layers.0", "low_rank", "s2");
    program = with_seed(program, "layers.0", "bottleneck_mlp", "s3");
    EXPECT_EQ(*seeds_at(*program, "head"), nullptr);
    auto tokens = *seeds_at(*program, "layers.0");
    ASSERT_NE(tokens, nullptr);
    ASSERT_EQ(tokens->inputs().size(), 1U);
    EXPECT_EQ(tokens->inputs()[0].name, "y");
    EXPECT_EQ(tokens->inputs()[0].type.shape, (std::vector<std::int64_t>{-1, -1, 16}));
    for (const auto& p : tokens->parameters()) EXPECT_FALSE(p.name.starts_with("seed.s1."));
    std::vector<std::string> seeds;
    for (const auto& seed : seeds_in(*tokens)) seeds.push_back(seed.seed);
    EXPECT_EQ(seeds, (std::vector<std::string>{"s2", "s3"}));
    EXPECT_EQ((*seeds_at(*program, "stem"))->inputs()[0].type.shape,
              (std::vector<std::int64_t>{-1, 8, -1, -1}));
}

TEST(ForeignHost, IsTheFirstOneAgainWhenItsSeedsAreRemoved) {
    auto first = host();
    auto grown = with_seed(first, "head", "gated_unit", "s1");
    EXPECT_NE(grown->hash(), first->hash());
    auto back = apply(*grown, RemoveSeed{"s1"});
    ASSERT_TRUE(back);
    EXPECT_EQ((*back)->hash(), first->hash());
}

TEST(ForeignHost, IsHeardWithoutItsIsolatedSeedsButForOneThatIsAskedFor) {
    auto program = with_seed(host(), "head", "gated_unit", "s1");
    program = *apply(*program, SetSeedMode{"s1", SeedMode::kFolded});
    const auto kept_alone = program->hash();
    program = with_seed(program, "head", "bottleneck_mlp", "s2");
    program = with_seed(program, "stem", "conv_block_3x3", "s3");
    auto heard = without_isolated(program);
    ASSERT_TRUE(heard) << heard.error().to_string();
    EXPECT_EQ((*heard)->hash(), kept_alone);
    auto with_one = without_isolated(program, "s2");
    ASSERT_TRUE(with_one) << with_one.error().to_string();
    const auto seeds = seeds_in(**with_one);
    ASSERT_EQ(seeds.size(), 2U);
    EXPECT_EQ(seeds[1].seed, "s2");
    EXPECT_EQ(seeds[1].mode, SeedMode::kBlended);
    auto folded = without_isolated(program, "s1");
    ASSERT_FALSE(folded);
    EXPECT_TRUE(folded.error().is(GraphError::kUnknownName));
}

TEST(ForeignHost, WritesItsSeedsAsClassesOfPlainPyTorch) {
    auto program = with_seed(host(), "stem", "conv_block_3x3", "s1");
    program = *apply(*program, SetSeedMode{"s1", SeedMode::kFolded});
    auto code = pytorch_seeds(*program);
    ASSERT_TRUE(code) << code.error().to_string();
    EXPECT_EQ(code->classes.at("s1"), "SeedS1");
    EXPECT_NE(code->text.find("class SeedS1(Scope):"), std::string::npos);
    EXPECT_EQ(code->text.find("esper"), std::string::npos);
    EXPECT_EQ(code->text.find("class Model"), std::string::npos);
}

TEST(ForeignHost, RefusesWhatCannotBeAnAnchor) {
    auto none = foreign_host("theirs", {});
    ASSERT_FALSE(none);
    EXPECT_TRUE(none.error().is(CoreError::kNoAnchor));
    auto flat = foreign_host("theirs", {{"stem", AnchorKind::kImage, {-1, 8}}});
    ASSERT_FALSE(flat);
    EXPECT_TRUE(flat.error().is(CoreError::kBadWrap));
    EXPECT_NE(flat.error().message().find("f32[?, 8]"), std::string::npos);
    auto unknown = seeds_at(*host(), "tail");
    ASSERT_FALSE(unknown);
    EXPECT_TRUE(unknown.error().is(GraphError::kUnknownName));
}

}  // namespace
}  // namespace esper::core
