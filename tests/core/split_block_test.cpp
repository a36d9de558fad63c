#include "esper/program/edits/split_block.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/trained_hosts.h"
#include "esper/blueprints/catalogue.h"
#include "esper/program/anchor_types.h"
#include "esper/program/layers.h"
#include "esper/program/operators.h"
#include "esper/program/text/text_format.h"

namespace esper::core {
namespace {

using namespace graph;

ProgramPtr gpt(std::int64_t depth, double dropout = 0) {
    return value_or_throw(make_host({.kind = "gpt",
                                     .depth = depth,
                                     .width = 32,
                                     .heads = 2,
                                     .context = 8,
                                     .dropout = dropout}));
}

std::vector<std::string> blocks_of(const Program& program) {
    std::vector<std::string> names;
    for (const auto& block : value_or_throw(find_blocks(program))) names.push_back(block.name);
    return names;
}

ProgramPtr split(const ProgramPtr& program, const std::string& block) {
    auto after = apply(*program, SplitBlock{block, name_for_copy(*program, block)});
    EXPECT_TRUE(after) << after.error().to_string();
    if (!after) return program;
    EXPECT_TRUE(validate_operators(**after));
    return *after;
}

ProgramPtr with_seed(const ProgramPtr& program, const std::string& anchor_name) {
    const auto types = value_or_throw(anchor_types(*program));
    std::size_t i = 0;
    while (program->anchors()[i].name != anchor_name) ++i;
    const auto& anchor = program->anchors()[i];
    const auto blueprint = value_or_throw(blueprints::make_blueprint(
        "low_rank", anchor, types[i], blueprints::Chunk{0, anchor.features}));
    return value_or_throw(
        apply(*program, InsertSeed{"s1", anchor_name, "low_rank", blueprint.program}));
}

std::vector<std::string> anchors_of(const Program& program) {
    std::vector<std::string> names;
    for (const auto& anchor : program.anchors()) names.push_back(anchor.name);
    return names;
}

using Names = std::vector<std::string>;

TEST(SplitBlock, FindsTheBlocksOfEachHostThatKeepTheirShape) {
    EXPECT_EQ(blocks_of(*gpt(2)), (Names{"blocks.0", "blocks.1"}));
    EXPECT_EQ(blocks_of(*gpt(1, 0.1)), (Names{"blocks.0"}));
    const auto resnet =
        value_or_throw(make_host({.kind = "resnet", .depth = 14, .width = 8, .image_size = 8}));
    EXPECT_EQ(blocks_of(*resnet), (Names{"layer1.0", "layer1.1", "layer2.1", "layer3.1"}));
    const auto mlp =
        value_or_throw(make_host({.kind = "mlp", .depth = 3, .width = 16, .features = 16}));
    EXPECT_EQ(blocks_of(*mlp), (Names{"layers.1", "layers.2"}))
        << "the first layer's input is no result of a ReLU";
    const auto vgg = value_or_throw(make_host({.kind = "vgg", .depth = 8, .width = 4}));
    EXPECT_EQ(blocks_of(*vgg), Names{});
}

TEST(SplitBlock, PutsTheCopyBeforeTheBlock) {
    const auto before = gpt(2);
    const auto after = split(before, "blocks.1");
    EXPECT_EQ(anchors_of(*after), (Names{"blocks.0", "blocks.1-2", "blocks.1"}));
    EXPECT_EQ(after->parameter_count() - before->parameter_count(),
              before->parameter_count() - gpt(1)->parameter_count());
    const auto blocks = value_or_throw(find_blocks(*after));
    ASSERT_EQ(blocks.size(), 3U);
    EXPECT_EQ(blocks[1].name, "blocks.1-2");
    EXPECT_EQ(blocks[1].x, blocks[0].y);
    EXPECT_EQ(blocks[2].x, blocks[1].y);
}

TEST(SplitBlock, NamesWhatIsHalved) {
    const auto of_gpt = value_or_throw(split_tensors(*gpt(1), {"blocks.0", "blocks.0-2"}));
    EXPECT_EQ(std::set<std::string>(of_gpt.halved.begin(), of_gpt.halved.end()),
              (std::set<std::string>{"blocks.0.attn.proj.weight", "blocks.0.attn.proj.bias",
                                     "blocks.0.mlp.proj.weight", "blocks.0.mlp.proj.bias"}));
    EXPECT_EQ(of_gpt.parameters.size(), 12U);
    EXPECT_EQ(of_gpt.identity, "");
    const auto resnet =
        value_or_throw(make_host({.kind = "resnet", .depth = 8, .width = 8, .image_size = 8}));
    const auto of_resnet = value_or_throw(split_tensors(*resnet, {"layer1.0", "layer1.0-2"}));
    EXPECT_EQ(std::set<std::string>(of_resnet.halved.begin(), of_resnet.halved.end()),
              (std::set<std::string>{"layer1.0.bn2.weight", "layer1.0.bn2.bias"}));
    EXPECT_EQ(of_resnet.buffers.size(), 4U);
}

TEST(SplitBlock, ACopyCanBeSplitAndEachDropoutHasItsOwnSite) {
    const auto twice = split(split(gpt(1, 0.1), "blocks.0"), "blocks.0-2");
    EXPECT_EQ(blocks_of(*twice), (Names{"blocks.0-3", "blocks.0-2", "blocks.0"}));
    std::set<std::string> sites;
    std::size_t masks = 0;
    for (const auto& item : twice->instructions()) {
        if (item.op != "esper::dropout_mask") continue;
        ++masks;
        sites.insert(to_string(std::get<Constant>(item.args[2])));
    }
    EXPECT_EQ(masks, 7U);
    EXPECT_EQ(sites.size(), masks);
}

TEST(SplitBlock, GivesTheSameHashFromTheTextOfProgramAndEdit) {
    const auto before = gpt(2);
    const Edit edit = SplitBlock{"blocks.1", "blocks.1-2"};
    const auto after = value_or_throw(apply(*before, edit));
    const auto read = value_or_throw(edit_from_json(nlohmann::json::parse(to_json(edit).dump())));
    const auto again = value_or_throw(apply(*value_or_throw(from_text(to_text(*before))), read));
    EXPECT_EQ(again->hash().hex(), after->hash().hex());
    EXPECT_EQ(value_or_throw(from_text(to_text(*after)))->hash().hex(), after->hash().hex());
    EXPECT_NE(after->hash().hex(), before->hash().hex());
}

TEST(SplitBlock, ASeedKeepsItsPlaceAndComesOutAsIfItHadNeverBeenThere) {
    for (const auto* anchor : {"blocks.0", "blocks.1"}) {
        const auto seeded = with_seed(gpt(2), anchor);
        const auto after = split(seeded, "blocks.1");
        ASSERT_EQ(seeds_in(*after).size(), 1U);
        EXPECT_EQ(seeds_in(*after)[0].anchor, anchor);
        const auto without = value_or_throw(apply(*after, RemoveSeed{"s1"}));
        EXPECT_EQ(without->hash().hex(), split(gpt(2), "blocks.1")->hash().hex()) << anchor;
    }
}

TEST(SplitBlock, ACopyTakesASeed) {
    const auto after = with_seed(split(gpt(1), "blocks.0"), "blocks.0-2");
    EXPECT_EQ(seeds_in(*after)[0].anchor, "blocks.0-2");
}

TEST(SplitBlock, RefusesOtherNamesAndBlocks) {
    const auto refused = [](const SplitBlock& edit, GraphError error) {
        const auto result = apply(*gpt(1), edit);
        ASSERT_FALSE(result);
        EXPECT_TRUE(result.error().is(error)) << result.error().to_string();
    };
    refused({"blocks.0", "seed.s1"}, GraphError::kIllegalEdit);
    refused({"blocks.0", "blocks.0.copy"}, GraphError::kIllegalEdit);
    refused({"blocks.0", "blocks.0-3"}, GraphError::kIllegalEdit);
    refused({"blocks.0.attn", "blocks.0.attn-2"}, GraphError::kUnknownName);
    refused({"head", "head-2"}, GraphError::kUnknownName);
    refused({"", "-2"}, GraphError::kUnknownName);
}

/// x + W·norm(x) under the path `block`, then `after(x, sum)`.
template <typename Change>
ProgramPtr one_block(Change change) {
    ProgramBuilder b("one");
    const auto in = b.input("x", {DType::kFloat32, {-1, 8}});
    const auto x = linear(b, "stem", in, {8, 8}, normal(0.1));
    const auto f = linear(b, "block.fc", layer_norm(b, "block.ln", x, 8), {8, 8}, normal(0.1));
    b.output("logits", change(b, x, f));
    return value_or_throw(b.finish());
}

TEST(SplitBlock, ABlockIsOneOnlyWhereItAddsToItsInput) {
    EXPECT_EQ(
        blocks_of(*one_block([](auto& b, ValueId x, ValueId f) { return add(b, x, f, "block"); })),
        Names{"block"});
    EXPECT_EQ(blocks_of(*one_block([](auto& b, ValueId x, ValueId f) {
                  return add(b, relu(b, f, "block"), x, "block");
              })),
              Names{})
        << "no parameter halves what comes out of a ReLU";
    EXPECT_EQ(blocks_of(*one_block([](auto& b, ValueId x, ValueId f) {
                  return layer_norm(b, "block.after", add(b, x, f, "block"), 8);
              })),
              Names{})
        << "what is normalised afterwards is no sum any more";
    EXPECT_EQ(blocks_of(*one_block([](auto& b, ValueId x, ValueId f) {
                  return add(b, add(b, x, f, "block"), f, "");
              })),
              Names{})
        << "two values leave it";
    EXPECT_EQ(
        blocks_of(*one_block([](auto& b, ValueId x, ValueId f) {
            const auto once = add(b, x, f, "block");
            const auto weight = b.parameter("block.shared", {DType::kFloat32, {8, 8}}, normal(0.1));
            const auto twice =
                add(b, once, b.call("aten::linear", {once, weight, none()}, "block"), "block");
            return add(b, twice, b.call("aten::linear", {twice, weight, none()}, "block"), "block");
        })),
        Names{})
        << "one weight is the last layer of two branches";
}

}  // namespace
}  // namespace esper::core
