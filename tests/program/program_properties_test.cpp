// Properties that hold for every Program, tried on random ones.

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <functional>

#include "esper/program/binary/binary_format.h"
#include "esper/program/program_hash.h"
#include "esper/program/text/text_format.h"
#include "program/random_program.h"

namespace esper::graph {
namespace {

using namespace testing;

ProgramPtr made(Program::Parts parts) {
    auto program = Program::make(std::move(parts));
    if (!program) RC_FAIL(program.error().to_string());
    return *program;
}

RC_GTEST_PROP(ProgramProperties, TextGivesTheProgramBack, ()) {
    const auto program = made(random_parts());
    const std::string text = to_text(*program);
    const auto read = from_text(text);
    if (!read) RC_FAIL(read.error().to_string() + "\n" + text);
    RC_ASSERT(to_text(**read) == text);
    RC_ASSERT((*read)->hash() == program->hash());
    RC_ASSERT(to_binary(**read) == to_binary(*program));
}

RC_GTEST_PROP(ProgramProperties, BytesGiveTheProgramBack, ()) {
    const auto program = made(random_parts());
    const auto read = from_binary(to_binary(*program));
    if (!read) RC_FAIL(read.error().to_string());
    RC_ASSERT(to_text(**read) == to_text(*program));
    RC_ASSERT((*read)->hash() == program->hash());
}

RC_GTEST_PROP(ProgramProperties, ValueNumbersMeanNothing, ()) {
    auto parts = random_parts();
    const auto program = made(parts);
    renumber(parts);
    const auto renumbered = made(std::move(parts));
    RC_ASSERT(renumbered->hash() == program->hash());
    RC_ASSERT(to_text(*renumbered) == to_text(*program));
    RC_ASSERT(to_binary(*renumbered) == to_binary(*program));
}

RC_GTEST_PROP(ProgramProperties, TheHashIgnoresTheOrderOfDeclarationsAndTheName, ()) {
    auto parts = random_parts();
    const auto program = made(parts);
    shuffle_items(parts.inputs);
    shuffle_items(parts.parameters);
    shuffle_items(parts.buffers);
    shuffle_items(parts.controls);
    shuffle_items(parts.outputs);
    shuffle_items(parts.anchors);
    parts.name += "!";
    for (auto& item : parts.instructions) item.scope += "!";
    RC_ASSERT(made(std::move(parts))->hash() == program->hash());
}

RC_GTEST_PROP(ProgramProperties, TheHashIgnoresTheOrderOfIndependentInstructions, ()) {
    auto parts = random_parts();
    const auto program = made(parts);
    reorder(parts);
    RC_ASSERT(made(std::move(parts))->hash() == program->hash());
}

RC_GTEST_PROP(ProgramProperties, TheHashNoticesEveryChangedConstant, ()) {
    auto parts = random_parts();
    const auto program = made(parts);
    std::vector<Constant*> constants;
    for (auto& item : parts.instructions) {
        for (auto& argument : item.args) {
            if (auto* constant = std::get_if<Constant>(&argument)) constants.push_back(constant);
        }
    }
    RC_PRE(!constants.empty());
    Constant& chosen = **rc::gen::elementOf(constants);
    if (auto* number = std::get_if<std::int64_t>(&chosen)) {
        *number ^= std::int64_t{1} << random_number(0, 64);
    } else if (auto* list = std::get_if<std::vector<std::int64_t>>(&chosen)) {
        list->push_back(0);
    } else if (auto* value = std::get_if<double>(&chosen)) {
        *value = *value == 3 ? 4 : 3;
    } else if (auto* truth = std::get_if<bool>(&chosen)) {
        *truth = !*truth;
    } else {
        chosen = std::holds_alternative<std::monostate>(chosen) ? Constant{false} : Constant{};
    }
    RC_ASSERT(made(std::move(parts))->hash() != program->hash());
}

// Another argument gives another hash, unless both arguments are equal by construction (two calls
// of one operator on the same arguments).
RC_GTEST_PROP(ProgramProperties, TheHashNoticesEveryChangedWire, ()) {
    auto parts = random_parts();
    const auto program = made(parts);
    std::vector<ValueId*> wires;
    for (auto& item : parts.instructions) {
        if (auto* one = std::get_if<ValueId>(&item.args[0])) wires.push_back(one);
    }
    for (auto& item : parts.outputs) wires.push_back(&item.value);
    for (auto& item : parts.anchors) wires.push_back(&item.value);
    RC_PRE(!wires.empty());
    // Replaces the argument by another input or parameter, which is never an equal value.
    ValueId& chosen = **rc::gen::elementOf(wires);
    std::vector<ValueId> sources;
    for (const auto& item : parts.inputs) sources.push_back(item.value);
    for (const auto& item : parts.parameters) sources.push_back(item.value);
    std::erase(sources, chosen);
    RC_PRE(!sources.empty());
    chosen = *rc::gen::elementOf(sources);
    RC_ASSERT(made(std::move(parts))->hash() != program->hash());
}

RC_GTEST_PROP(ProgramProperties, FlippedBitsOfTheTextNeverCrashTheReader, ()) {
    std::string text = to_text(*made(random_parts()));
    const int flips = random_number(1, 4);
    for (int i = 0; i < flips; ++i) {
        const auto at = random_number<std::size_t>(0, text.size());
        text[at] = static_cast<char>(text[at] ^ (1 << random_number(0, 8)));
    }
    const auto read = parse_text(text);
    if (read) RC_ASSERT(parse_text(to_text(**read)).has_value());
}

TEST(ProgramHash, TellsReadsBeforeAWriteFromReadsAfterIt) {
    const auto program = [](bool before, bool through_view) {
        Hand h("p");
        const auto x = h.input("x", f32({8}));
        const auto y = h.call("aten::neg", {x});
        const auto seen =
            through_view ? h.call("aten::view", {y, Constant{std::vector<std::int64_t>{8}}}) : y;
        ValueId z;
        if (before) z = h.call("aten::abs", {y});
        h.call("aten::relu_", {seen});
        if (!before) z = h.call("aten::abs", {y});
        h.output("z", z);
        return h.make();
    };
    EXPECT_NE(program(true, false)->hash(), program(false, false)->hash());
    EXPECT_NE(program(true, true)->hash(), program(false, true)->hash());
}

TEST(ProgramHash, CountsRunningStatisticsAsWrittenOnlyWhileTraining) {
    const auto program = [](const Constant& training, bool first) {
        Hand h("p");
        const auto x = h.input("x", f32({-1, 8}));
        const auto mean = h.buffer("mean", f32({8}));
        const auto var = h.buffer("var", f32({8}));
        ValueId read;
        if (first) read = h.call("aten::neg", {mean});
        const auto y = h.call("aten::batch_norm", {x, Constant{}, Constant{}, mean, var, training,
                                                   real(0.1), real(1e-5), flag(false)});
        if (!first) read = h.call("aten::neg", {mean});
        h.output("y", y);
        h.output("mean", read);
        return h.make();
    };
    const Constant train{TrainingFlag{}}, always{true}, never{false};
    EXPECT_NE(program(train, true)->hash(), program(train, false)->hash());
    EXPECT_NE(program(always, true)->hash(), program(always, false)->hash());
    EXPECT_EQ(program(never, true)->hash(), program(never, false)->hash());
}

TEST(ProgramHash, DependsOnTheOrderOfRandomDraws) {
    const auto program = [](bool swapped, const std::string& op) {
        Hand h("p");
        const auto x = h.input("x", f32({8}));
        const auto other = h.input("other", f32({8}));
        const auto call = [&](ValueId v) {
            return op == "aten::relu" ? h.call(op, {v}) : h.call(op, {v, real(0.5), flag(true)});
        };
        const auto a = call(swapped ? other : x);
        const auto b = call(swapped ? x : other);
        h.output("a", swapped ? b : a);
        h.output("b", swapped ? a : b);
        return h.make();
    };
    EXPECT_NE(program(false, "aten::dropout")->hash(), program(true, "aten::dropout")->hash());
    EXPECT_EQ(program(false, "aten::relu")->hash(), program(true, "aten::relu")->hash());
}

TEST(ProgramHash, CoversEveryFieldThatHasAMeaning) {
    const auto base = one_of_everything();
    const auto changed = [&](const std::function<void(Program::Parts&)>& change) {
        auto parts = base->parts();
        change(parts);
        const auto program = Program::make(std::move(parts));
        EXPECT_TRUE(program);
        return program && (*program)->hash() != base->hash();
    };
    EXPECT_TRUE(changed([](auto& p) { p.inputs[0].name += "!"; }));
    EXPECT_TRUE(changed([](auto& p) { p.inputs[0].type.shape[0] = 1; }));
    EXPECT_TRUE(changed([](auto& p) { p.inputs[0].type.dtype = DType::kFloat16; }));
    EXPECT_TRUE(changed([](auto& p) { p.parameters[0].name += "!"; }));
    EXPECT_TRUE(changed([](auto& p) { p.parameters[0].trainable = true; }));
    EXPECT_TRUE(changed([](auto& p) { p.parameters[0].init.value = 0.0; }));
    EXPECT_TRUE(changed([](auto& p) { p.parameters[1].init.kind = Init::Kind::kUniform; }));
    EXPECT_TRUE(changed([](auto& p) { p.buffers[0].init = {Init::Kind::kConstant, 1}; }));
    EXPECT_TRUE(changed([](auto& p) { p.controls[0].initial = 0.2; }));
    EXPECT_TRUE(changed([](auto& p) { p.instructions[0].op = "test::other"; }));
    EXPECT_TRUE(changed([](auto& p) { p.instructions.erase(p.instructions.begin()); }));
    EXPECT_TRUE(changed([](auto& p) { p.outputs[0].name += "!"; }));
    EXPECT_TRUE(changed([](auto& p) { p.outputs.pop_back(); }));
    EXPECT_TRUE(changed([](auto& p) { p.anchors[0].name += "!"; }));
    EXPECT_TRUE(changed([](auto& p) { p.anchors[0].kind = AnchorKind::kVector; }));
    EXPECT_TRUE(changed([](auto& p) { p.anchors[0].features = 4; }));
    EXPECT_TRUE(changed([](auto& p) { p.anchors[1].layer_input.reset(); }));
    for (std::size_t i = 0; i < base->instructions()[1].args.size(); ++i) {
        EXPECT_TRUE(changed([&](auto& p) {
            p.instructions[1].args[i] = Constant{std::string("something else")};
        })) << i;
    }
    EXPECT_TRUE(changed([](auto& p) { p.instructions[2].args[1] = ValueList{}; }));
    EXPECT_FALSE(changed([](auto& p) { p.buffers[0].init.value = 7; })) << "zeros have no value";
}

TEST(ProgramHash, StaysAsItIs) {
    Hand h("p");
    const auto x = h.input("x", f32({-1}));
    h.output("y", h.call("aten::relu", {x}));
    // Another value here would break all existing journals and libraries. To change the hash, raise
    // the version in its domain names.
    EXPECT_EQ(h.make()->hash().hex(),
              "731e109d53dc07ce11831840d41180baa1de284b512196dfccd7e8de5fa4bba3");
}

}  // namespace
}  // namespace esper::graph
