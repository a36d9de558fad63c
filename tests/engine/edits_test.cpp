#include "esper/program/edits/edits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "esper/program/operators.h"
#include "esper/program/text/text_format.h"
#include "program/small_programs.h"

namespace esper::graph {
namespace {

using namespace testing;

ProgramPtr edited(const ProgramPtr& program, const Edit& edit) {
    auto result = apply(*program, edit);
    EXPECT_TRUE(result) << result.error().to_string();
    if (!result) return program;
    EXPECT_TRUE(validate_operators(**result)) << to_text(**result);
    return *result;
}
ProgramPtr with_seed(const ProgramPtr& program, std::string seed, std::string anchor) {
    return edited(program,
                  InsertSeed{std::move(seed), std::move(anchor), "bottleneck", small_blueprint()});
}

void expect_refused(const ProgramPtr& program, const Edit& edit, GraphError code,
                    std::string_view words) {
    const auto result = apply(*program, edit);
    ASSERT_FALSE(result) << words;
    EXPECT_TRUE(result.error().is(code)) << result.error().to_string();
    EXPECT_NE(result.error().message().find(words), std::string::npos)
        << result.error().to_string();
}

TEST(Edits, AnIsolatedSeedHangsBehindADetachAndAStraightThroughJoin) {
    EXPECT_EQ(to_text(*with_seed(small_host(), "s0", "fc1")), R"(esper-program 1 "host"
input x: f32[?, 8]
param fc1.weight: f32[8, 8] uniform(0.25)
param fc1.bias: f32[8] zeros
param fc2.weight: f32[8, 8] normal(0.1)
param seed.s0.down.weight: f32[2, 8] uniform(0.5)
param seed.s0.up.weight: f32[8, 2] uniform(0.5)
%0 = aten::linear(x, fc1.weight, fc1.bias) @ fc1
%1 = aten::detach(%0) @ seed.s0
%2 = aten::linear(%1, seed.s0.down.weight, none) @ seed.s0.down
%3 = aten::relu(%2) @ seed.s0
%4 = aten::linear(%3, seed.s0.up.weight, none) @ seed.s0.up
%5 = esper::straight_through(%0, %4) @ seed.s0.join
%6 = aten::relu(%5) @ act
%7 = aten::linear(%6, fc2.weight, none) @ fc2
%8 = aten::add.Tensor(%7, %5, 1)
anchor fc1: vector %5 from x features 8
anchor fc2: vector %7 from %6 features 8
output logits: %8
)");
}

TEST(Edits, ABlendedSeedIsWeighedByItsControlAndAFoldedOneIsAdded) {
    const auto isolated = with_seed(small_host(), "s0", "fc2");
    const auto blended = edited(isolated, SetSeedMode{"s0", SeedMode::kBlended});
    const std::string text = to_text(*blended);
    EXPECT_NE(text.find("control alpha.s0: 0\n"), std::string::npos) << text;
    EXPECT_NE(text.find("%3 = aten::linear(%2, seed.s0.down.weight, none) @ seed.s0.down\n"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("%6 = aten::addcmul(%2, %5, alpha.s0, 1) @ seed.s0.join\n"),
              std::string::npos)
        << text;
    const auto folded = edited(blended, SetSeedMode{"s0", SeedMode::kFolded});
    const std::string sum = to_text(*folded);
    EXPECT_EQ(sum.find("control"), std::string::npos) << sum;
    EXPECT_NE(sum.find("%6 = aten::add.Tensor(%2, %5, 1) @ seed.s0.join\n"), std::string::npos)
        << sum;
    EXPECT_EQ(to_text(*edited(isolated, SetSeedMode{"s0", SeedMode::kFolded})), sum);
}

TEST(Edits, EveryChangeOfModeCanBeTakenBack) {
    const auto isolated = with_seed(small_host(), "s0", "fc1");
    for (const auto first : {SeedMode::kBlended, SeedMode::kFolded}) {
        const auto other = edited(isolated, SetSeedMode{"s0", first});
        EXPECT_NE(other->hash(), isolated->hash());
        const auto back = edited(other, SetSeedMode{"s0", SeedMode::kIsolated});
        EXPECT_EQ(to_text(*back), to_text(*isolated));
        EXPECT_EQ(back->hash(), isolated->hash());
    }
}

TEST(Edits, RemovingASeedRestoresTheProgramToTheByte) {
    const auto host = small_host();
    for (const auto anchor : {"fc1", "fc2"}) {
        auto grown = with_seed(host, "s0", anchor);
        for (const auto mode : {SeedMode::kBlended, SeedMode::kFolded, SeedMode::kIsolated}) {
            grown = edited(grown, SetSeedMode{"s0", mode});
            const auto bare = edited(grown, RemoveSeed{"s0"});
            EXPECT_EQ(to_text(*bare), to_text(*host));
            EXPECT_EQ(bare->hash(), host->hash());
            EXPECT_EQ(bare->value_count(), host->value_count());
        }
    }
}

TEST(Edits, StackedSeedsMayLeaveInAnyOrder) {
    const auto host = small_host();
    std::vector<std::string> order{"a", "b", "c"};
    const auto top = with_seed(with_seed(with_seed(host, "a", "fc1"), "b", "fc1"), "c", "fc1");
    std::sort(order.begin(), order.end());
    do {
        auto program = edited(top, SetSeedMode{"b", SeedMode::kBlended});
        for (const auto& seed : order) program = edited(program, RemoveSeed{seed});
        EXPECT_EQ(to_text(*program), to_text(*host));
        EXPECT_EQ(program->hash(), host->hash());
    } while (std::next_permutation(order.begin(), order.end()));
    // The Program after a removal is as if the removed seed had never been inserted.
    EXPECT_EQ(edited(top, RemoveSeed{"b"})->hash(),
              with_seed(with_seed(host, "a", "fc1"), "c", "fc1")->hash());
}

TEST(Edits, SeedsInAProgramAreListedWithModeAndAnchor) {
    auto program = with_seed(with_seed(small_host(), "b", "fc2"), "a", "fc1");
    program = with_seed(program, "top", "fc1");
    program = edited(program, SetSeedMode{"a", SeedMode::kBlended});
    program = edited(program, SetSeedMode{"b", SeedMode::kFolded});
    const auto check = [](const Program& seen) {
        const auto seeds = seeds_in(seen);
        ASSERT_EQ(seeds.size(), 3U);
        EXPECT_EQ(seeds[0].seed, "a");
        EXPECT_EQ(seeds[0].anchor, "fc1");
        EXPECT_EQ(seeds[0].mode, SeedMode::kBlended);
        EXPECT_EQ(seeds[1].seed, "top");
        EXPECT_EQ(seeds[1].anchor, "fc1");
        EXPECT_EQ(seeds[1].mode, SeedMode::kIsolated);
        EXPECT_EQ(seeds[2].seed, "b");
        EXPECT_EQ(seeds[2].anchor, "fc2");
        EXPECT_EQ(seeds[2].mode, SeedMode::kFolded);
    };
    check(*program);
    const auto read = from_text(to_text(*program));
    ASSERT_TRUE(read);
    check(**read);
    EXPECT_TRUE(seeds_in(*small_host()).empty());
    EXPECT_TRUE(seeds_in(*one_of_everything()).empty());
}

TEST(Edits, ASeedMaySitAtTheInputItself) {
    Hand h("host");
    const auto x = h.input("x", f32({-1, 8}));
    h.output("y", h.call("aten::relu", {x}));
    h.output("x", x);
    h.anchor("in", AnchorKind::kVector, x, 8);
    const auto host = h.make();
    const auto grown = with_seed(host, "s", "in");
    EXPECT_NE(to_text(*grown).find("%5 = aten::relu(%4)\nanchor in: vector %4 features 8\n"
                                   "output y: %5\noutput x: %4\n"),
              std::string::npos)
        << to_text(*grown);
    EXPECT_EQ(to_text(*edited(grown, RemoveSeed{"s"})), to_text(*host));
}

TEST(Edits, ABlueprintThatPassesItsInputOnCanChangeModesToo) {
    Hand h("identity");
    h.output("y", h.input("x", f32({-1, 8})));
    const auto host = small_host();
    const auto grown = edited(host, InsertSeed{"s", "fc1", "identity", h.make()});
    const auto blended = edited(grown, SetSeedMode{"s", SeedMode::kBlended});
    EXPECT_NE(to_text(*blended).find("aten::addcmul(%0, %0, alpha.s, 1)"), std::string::npos);
    EXPECT_EQ(to_text(*edited(blended, SetSeedMode{"s", SeedMode::kIsolated})), to_text(*grown));
    EXPECT_EQ(to_text(*edited(blended, RemoveSeed{"s"})), to_text(*host));
}

TEST(Edits, BuffersAndAwkwardScopesOfABlueprintMoveWithIt) {
    Hand h("b");
    const auto x = h.input("x", f32({-1, 8}));
    const auto shift = h.buffer("shift", f32({8}));
    h.output("y", h.call("aten::add.Tensor", {x, shift, integer(1)}, "join"));
    const auto host = small_host();
    const auto grown = edited(host, InsertSeed{"s", "fc1", "b", h.make()});
    EXPECT_NE(grown->find_buffer("seed.s.shift"), nullptr);
    ASSERT_EQ(seeds_in(*grown).size(), 1U);
    EXPECT_EQ(seeds_in(*grown)[0].mode, SeedMode::kIsolated);
    EXPECT_EQ(to_text(*edited(grown, RemoveSeed{"s"})), to_text(*host));
}

TEST(Edits, RefusesSeedsThatDoNotFit) {
    const auto host = small_host();
    const auto insert = [](std::string seed, std::string anchor, ProgramPtr blueprint) {
        return InsertSeed{std::move(seed), std::move(anchor), "b", std::move(blueprint)};
    };
    const auto good = small_blueprint();
    expect_refused(host, insert("s", "fc3", good), GraphError::kUnknownName, "did you mean");
    for (const auto name : {"", "a.b", "a b", "é"}) {
        expect_refused(host, insert(name, "fc1", good), GraphError::kIllegalEdit, "no name");
    }
    expect_refused(host, insert("s", "fc1", nullptr), GraphError::kIllegalEdit, "no blueprint");
    expect_refused(host, insert("s", "fc1", small_host()), GraphError::kIllegalEdit,
                   "one input x and one output y");
    expect_refused(host, insert("s", "fc1", small_blueprint(16)), GraphError::kShapeMismatch,
                   "takes f32[?, 16]");
    expect_refused(with_seed(host, "s", "fc1"), insert("s", "fc2", good), GraphError::kIllegalEdit,
                   "in the Program already");

    const auto small = [](const auto& body) {
        Hand h("b");
        const auto x = h.input("x", f32({-1, 8}));
        h.output("y", body(h, x));
        return h.make();
    };
    expect_refused(
        host,
        insert("s", "fc1", small([](Hand& h, ValueId x) { return h.call("aten::relu_", {x}); })),
        GraphError::kForbiddenOperator, "relu_");
    expect_refused(
        host,
        insert("s", "fc1", small([](Hand& h, ValueId x) { return h.call("aten::rellu", {x}); })),
        GraphError::kForbiddenOperator, "relu");
    expect_refused(host, insert("s", "fc1", small([](Hand& h, ValueId x) {
                                    const auto w = h.parameter("w", f32({4, 8}));
                                    return h.call("aten::linear", {x, w, Constant{}});
                                })),
                   GraphError::kShapeMismatch, "keep the type");
    expect_refused(host, insert("s", "fc1", small([](Hand& h, ValueId x) {
                                    const auto w = h.parameter("w", f32({4, 7}));
                                    return h.call("aten::linear", {x, w, Constant{}});
                                })),
                   GraphError::kShapeMismatch, "blueprint 'b'");
}

TEST(Edits, RefusesAnchorsWhoseValueIsWrittenIntoLater) {
    const auto host = [](std::string op, bool through_view) {
        Hand h("host");
        const auto x = h.input("x", f32({-1, 8}));
        const auto y = h.call("aten::relu", {x});
        const auto seen =
            through_view ? h.call("aten::view", {y, Constant{std::vector<std::int64_t>{-1, 8}}})
                         : y;
        h.output("z", h.call(std::move(op), {seen}));
        h.anchor("a", AnchorKind::kVector, y, 8);
        return h.make();
    };
    const InsertSeed seed{"s", "a", "b", small_blueprint()};
    expect_refused(host("aten::relu_", false), seed, GraphError::kIllegalEdit, "writes into");
    expect_refused(host("aten::relu_", true), seed, GraphError::kIllegalEdit, "writes into");
    EXPECT_TRUE(apply(*host("aten::relu", true), seed));
}

TEST(Edits, RefusesAnInPlaceResultThatIsStillReadUnderItsOlderName) {
    const auto host = [](bool older) {
        Hand h("host");
        const auto x = h.input("x", f32({-1, 8}));
        const auto before = h.call("aten::neg", {x});
        const auto y = h.call("aten::relu_", {before});
        h.output("z", h.call("aten::neg", {older ? before : y}));
        h.anchor("a", AnchorKind::kVector, y, 8);
        return h.make();
    };
    const InsertSeed seed{"s", "a", "b", small_blueprint()};
    expect_refused(host(true), seed, GraphError::kIllegalEdit, "older name");
    EXPECT_TRUE(apply(*host(false), seed));
}

TEST(Edits, RefusesAnchorsAtParameters) {
    Hand h("host");
    const auto x = h.input("x", f32({-1, 8}));
    const auto w = h.parameter("w", f32({8, 8}));
    h.output("y", h.call("aten::matmul", {x, w}));
    h.anchor("a", AnchorKind::kVector, w, 8);
    expect_refused(h.make(), InsertSeed{"s", "a", "b", small_blueprint()}, GraphError::kIllegalEdit,
                   "neither an input nor a result");
}

TEST(Edits, RefusesWhatNamesNoSeed) {
    const auto grown = with_seed(small_host(), "seed1", "fc1");
    expect_refused(grown, RemoveSeed{"seed2"}, GraphError::kUnknownName, "seed1");
    expect_refused(grown, SetSeedMode{"zzz", SeedMode::kFolded}, GraphError::kUnknownName, "zzz");
    expect_refused(grown, SetSeedMode{"seed1", SeedMode::kIsolated}, GraphError::kIllegalEdit,
                   "isolated already");
    expect_refused(grown, SetSeedMode{"seed1", SeedMode{7}}, GraphError::kIllegalEdit, "mode 7");
    auto parts = grown->parts();
    parts.instructions[1].op = "aten::alias";
    const auto tampered = Program::make(std::move(parts));
    ASSERT_TRUE(tampered);
    expect_refused(*tampered, SetSeedMode{"seed1", SeedMode::kFolded}, GraphError::kIllegalEdit,
                   "changed by other means");
}

TEST(Edits, ReplacesAnOperatorThatTakesTheSameArguments) {
    const auto host = small_host();
    const auto tanh = edited(host, ReplaceOperator{1, "aten::relu", "aten::tanh"});
    EXPECT_EQ(tanh->instructions()[1].op, "aten::tanh");
    EXPECT_EQ(to_text(*edited(tanh, ReplaceOperator{1, "aten::tanh", "aten::relu"})),
              to_text(*host));
    const auto code = GraphError::kIllegalEdit;
    expect_refused(host, ReplaceOperator{4, "aten::relu", "aten::tanh"}, code, "4 of 4");
    expect_refused(host, ReplaceOperator{1, "aten::tanh", "aten::relu"}, code, "to be aten::tanh");
    expect_refused(host, ReplaceOperator{1, "aten::relu", "aten::relu_"}, code, "write into");
    expect_refused(host, ReplaceOperator{1, "aten::relu", "aten::tannh"},
                   GraphError::kForbiddenOperator, "tanh");
    expect_refused(host, ReplaceOperator{1, "aten::relu", "aten::mm"}, GraphError::kBadArguments,
                   "arguments");
    const auto grown = with_seed(host, "s", "fc1");
    expect_refused(grown, ReplaceOperator{1, "aten::detach", "aten::alias"}, code, "ties seed 's'");
    expect_refused(grown, ReplaceOperator{5, "esper::straight_through", "aten::mul.Tensor"}, code,
                   "ties seed 's'");
}

TEST(EditsJson, CarryEveryEditThereAndBack) {
    const std::vector<Edit> edits{InsertSeed{"s", "fc1", "bottleneck", small_blueprint()},
                                  SetSeedMode{"s", SeedMode::kBlended}, RemoveSeed{"s"},
                                  ReplaceOperator{3, "aten::relu", "aten::tanh"}};
    for (const Edit& edit : edits) {
        const auto json = to_json(edit);
        const auto read = edit_from_json(nlohmann::json::parse(json.dump()));
        ASSERT_TRUE(read) << read.error().to_string();
        EXPECT_EQ(read->index(), edit.index());
        EXPECT_EQ(to_json(*read), json);
    }
    EXPECT_EQ(to_json(edits[1]).dump(), R"({"kind":"set_seed_mode","mode":"blended","seed":"s"})");
}

TEST(EditsJson, RefuseWhatIsNoEdit) {
    for (
        const auto text :
        {"3", "{}", R"({"kind":3})", R"({"kind":"grow"})", R"({"kind":"remove_seed"})",
         R"({"kind":"remove_seed","seed":1})", R"({"kind":"remove_seed","seed":"s","more":1})",
         R"({"kind":"set_seed_mode","seed":"s","mode":"half"})",
         R"({"kind":"replace_operator","instruction":-1,"expected_op":"","new_op":""})",
         R"({"kind":"replace_operator","instruction":1.5,"expected_op":"","new_op":""})",
         R"({"kind":"insert_seed","seed":"s","anchor":"a","blueprint_name":"b","blueprint":""})"}) {
        const auto read = edit_from_json(nlohmann::json::parse(text));
        ASSERT_FALSE(read) << text;
        EXPECT_TRUE(read.error().is(GraphError::kMalformed)) << read.error().to_string();
    }
}

}  // namespace
}  // namespace esper::graph
