#include "esper/program/program.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <thread>

#include "program/small_programs.h"

namespace esper::graph {
namespace {

using namespace testing;

// Expects `code` for the Program of `hand` after `change`.
void expect_refused(GraphError code, const std::function<void(Program::Parts&)>& change,
                    std::string_view words) {
    Program::Parts parts = small_host()->parts();
    change(parts);
    const auto made = Program::make(std::move(parts));
    ASSERT_FALSE(made) << words;
    EXPECT_TRUE(made.error().is(code)) << made.error().to_string();
    EXPECT_NE(made.error().message().find(words), std::string::npos) << made.error().to_string();
}

TEST(Program, FindsWhatItHoldsByName) {
    const auto host = small_host();
    EXPECT_EQ(host->find_input("x"), &host->inputs()[0]);
    EXPECT_EQ(host->find_parameter("fc2.weight"), &host->parameters()[2]);
    EXPECT_EQ(host->find_anchor("fc2"), &host->anchors()[1]);
    EXPECT_EQ(host->find_output("logits"), &host->outputs()[0]);
    EXPECT_EQ(host->find_parameter("fc2"), nullptr);
    EXPECT_EQ(host->find_buffer("x"), nullptr);
    EXPECT_EQ(host->find_control("x"), nullptr);
    EXPECT_EQ(host->find_anchor("zz"), nullptr);
    EXPECT_EQ(host->parameter_count(), 8 * 8 + 8 + 8 * 8);
    const auto all = one_of_everything();
    EXPECT_EQ(all->find_buffer("bn.running_mean"), &all->buffers()[0]);
    EXPECT_EQ(all->find_control("alpha.s"), &all->controls()[0]);
}

TEST(Program, KnowsWhereEveryValueComesFrom) {
    const auto all = one_of_everything();
    EXPECT_EQ(all->value_name(all->inputs()[0].value), "x");
    EXPECT_EQ(all->value_name(all->parameters()[1].value), "0.weight");
    EXPECT_EQ(all->value_name(all->buffers()[0].value), "bn.running_mean");
    EXPECT_EQ(all->value_name(all->controls()[0].value), "alpha.s");
    const ValueId second = all->instructions()[1].results[1];
    EXPECT_EQ(all->value_name(second), "");
    EXPECT_EQ(all->value(second).kind, Value::Kind::kResult);
    EXPECT_EQ(all->value(second).index, 1U);
    EXPECT_EQ(all->value_name(ValueId(1'000'000)), "");
}

TEST(Program, RefusesValuesThatAreNotDefinedBeforeTheirUse) {
    const auto code = GraphError::kUndefinedValue;
    expect_refused(
        code, [](auto& p) { std::swap(p.instructions[0], p.instructions[1]); },
        "not defined before it");
    expect_refused(
        code, [](auto& p) { p.instructions[0].args[0] = ValueId(99); }, "not there");
    expect_refused(
        code, [](auto& p) { p.outputs[0].value = ValueId(99); }, "output 'logits'");
    expect_refused(
        code, [](auto& p) { p.anchors[0].value = ValueId(99); }, "anchor 'fc1'");
    expect_refused(
        code, [](auto& p) { p.anchors[0].layer_input = ValueId(99); }, "anchor 'fc1'");
    expect_refused(
        code, [](auto& p) { p.value_count += 1; }, "never defined");
    expect_refused(
        code, [](auto& p) { p.instructions[0].args[2] = ValueList{p.instructions[3].results[0]}; },
        "instruction 0 (aten::linear)");
}

TEST(Program, RefusesNamesThatAreTakenOrEmpty) {
    const auto taken = GraphError::kDuplicateName;
    expect_refused(
        taken, [](auto& p) { p.parameters[1].name = "fc1.weight"; }, "fc1.weight");
    expect_refused(
        taken, [](auto& p) { p.parameters[1].name = "x"; }, "taken already");
    expect_refused(
        taken, [](auto& p) { p.anchors[1].name = "fc1"; }, "anchor 'fc1'");
    expect_refused(
        taken, [](auto& p) { p.outputs.push_back(p.outputs[0]); }, "output 'logits'");
    expect_refused(
        GraphError::kMalformed, [](auto& p) { p.inputs[0].name.clear(); }, "empty");
}

TEST(Program, RefusesNamesThatNoFileCouldCarry) {
    const auto code = GraphError::kMalformed;
    for (const std::string bad : {"a\nb", "\x7f", "\xff", "\xc0\x80", "\xed\xa0\x80", "\xc2\x85",
                                  "\xf4\x90\x80\x80", "\xe2\x82", "\xf0\x80\x80\x80"}) {
        expect_refused(
            code, [&](auto& p) { p.inputs[0].name = bad; }, "UTF-8");
        expect_refused(
            code, [&](auto& p) { p.name = bad; }, "UTF-8");
        expect_refused(
            code, [&](auto& p) { p.instructions[0].scope = bad; }, "UTF-8");
        expect_refused(
            code, [&](auto& p) { p.anchors[0].name = bad; }, "UTF-8");
    }
    for (const std::string good : {"é", "漢字", "😀", "a b", "`"}) {
        auto parts = small_host()->parts();
        parts.inputs[0].name = good;
        EXPECT_TRUE(Program::make(std::move(parts))) << good;
    }
}

TEST(Program, RefusesWhatIsNoOperatorName) {
    for (const std::string bad : {"", "relu", "aten::", "::relu", "aten::relu.", "aten::relu.a.b",
                                  "aten:relu", "aten::re lu", "a-b::c", "aten::::relu"}) {
        expect_refused(
            GraphError::kMalformed, [&](auto& p) { p.instructions[0].op = bad; },
            "namespace::name");
    }
}

TEST(Program, RefusesSecondDefinitionsAndNumbersBeyondTheCount) {
    const auto code = GraphError::kMalformed;
    expect_refused(
        code, [](auto& p) { p.instructions[1].results = p.instructions[0].results; },
        "a second time");
    expect_refused(
        code, [](auto& p) { p.inputs[0].value = ValueId(50); }, "beyond");
}

TEST(Program, RefusesAbsurdSizes) {
    const auto code = GraphError::kTooLarge;
    constexpr auto kMaxName = Limits::kMaxNameLength;
    expect_refused(
        code, [](auto& p) { p.value_count = 4'000'001; }, "values");
    expect_refused(
        code, [](auto& p) { p.instructions.resize(Limits::kMaxInstructions + 1); }, "instructions");
    expect_refused(
        code, [](auto& p) { p.inputs[0].type.shape.assign(17, 1); }, "rank 17");
    expect_refused(
        code,
        [](auto& p) {
            p.inputs[0].type.shape = {1 << 20, 1 << 20, 2};
        },
        "elements");
    const auto huge = std::numeric_limits<std::int64_t>::max();
    expect_refused(
        code,
        [&](auto& p) {
            p.inputs[0].type.shape = {huge, huge, 0};
        },
        "elements");
    expect_refused(
        code, [&](auto& p) { p.inputs[0].name.assign(kMaxName + 1, 'a'); }, "bytes");
    expect_refused(
        code, [](auto& p) { p.instructions[0].args.resize(4097); }, "arguments");
    expect_refused(
        code, [](auto& p) { p.instructions[0].args[2] = ValueList(4097); }, "list");
    expect_refused(
        code,
        [](auto& p) { p.instructions[0].args[2] = Constant{std::vector<std::int64_t>(4097)}; },
        "a list of length 4097");
    expect_refused(
        code, [](auto& p) { p.instructions[0].args[2] = Constant{std::string(65537, 'a')}; },
        "a string of length 65537");
}

TEST(Program, RefusesNumbersOutOfRange) {
    const auto code = GraphError::kMalformed;
    const double nan = std::numeric_limits<double>::quiet_NaN();
    expect_refused(
        code, [](auto& p) { p.inputs[0].type.shape[0] = -2; }, "size of -2");
    expect_refused(
        code, [](auto& p) { p.parameters[0].type.shape[0] = -1; }, "size of -1");
    expect_refused(
        code, [](auto& p) { p.inputs[0].type.dtype = DType{10}; }, "element type 10");
    expect_refused(
        code,
        [](auto& p) {
            p.parameters[0].init = {Init::Kind{4}, 0};
        },
        "4");
    expect_refused(
        code, [&](auto& p) { p.parameters[0].init.value = nan; }, "finite");
    expect_refused(
        code, [](auto& p) { p.parameters[0].init.value = -1; }, "finite");
    expect_refused(
        code, [](auto& p) { p.anchors[0].kind = AnchorKind{3}; }, "kind 3");
    expect_refused(
        code, [](auto& p) { p.anchors[0].features = 0; }, "0 features");
    expect_refused(
        code, [](auto& p) { p.instructions[0].args[2] = Constant{DType{77}}; }, "77");
    expect_refused(
        code, [](auto& p) { p.instructions[0].args[2] = Constant{MemoryFormat{3}}; },
        "memory format 3");
    expect_refused(
        code,
        [&](auto& p) {
            p.controls.push_back({"c", nan, ValueId(p.value_count++)});
        },
        "control 'c'");
}

TEST(Program, HandsItsHashToManyThreadsAtOnce) {
    const auto host = small_host();
    std::vector<Sha256> seen(8);
    std::vector<std::thread> threads;
    for (auto& hash : seen) threads.emplace_back([&] { hash = host->hash(); });
    for (auto& thread : threads) thread.join();
    for (const auto& hash : seen) EXPECT_EQ(hash, host->hash());
}

TEST(Program, KnowsInPlaceOperatorsByTheirUnderscore) {
    for (const auto op : {"aten::relu_", "aten::add_.Tensor", "aten::copy_"}) {
        EXPECT_TRUE(is_in_place(op)) << op;
    }
    for (const auto op : {"aten::relu", "aten::__and__.Tensor", "aten::add.Tensor_"}) {
        EXPECT_FALSE(is_in_place(op)) << op;
    }
}

TEST(Types, EveryElementTypeHasAName) {
    for (int i = 0; i < kDTypeCount; ++i) {
        const auto dtype = static_cast<DType>(i);
        EXPECT_EQ(dtype_from_name(dtype_name(dtype)), dtype);
        EXPECT_GT(dtype_size(dtype), 0U);
    }
    EXPECT_EQ(dtype_from_name("float"), std::nullopt);
    EXPECT_EQ(dtype_name(DType{99}), "?");
    EXPECT_EQ(dtype_size(DType{99}), 0U);
    for (int i = 0; i < 3; ++i) {
        const auto kind = static_cast<AnchorKind>(i);
        EXPECT_EQ(anchor_kind_from_name(anchor_kind_name(kind)), kind);
    }
    EXPECT_EQ(anchor_kind_from_name("video"), std::nullopt);
}

TEST(Types, CountElementsWithFreeSizesAsOneAndWithoutOverflow) {
    EXPECT_EQ(f32({-1, 3, 4}).numel(), 12);
    EXPECT_EQ(f32({}).numel(), 1);
    EXPECT_EQ(f32({std::int64_t{1} << 40, std::int64_t{1} << 40}).numel(),
              std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(f32({std::int64_t{1} << 40, std::int64_t{1} << 40, 0}).numel(), 0);
    EXPECT_EQ(to_string(f32({-1, 3, 32, 32})), "f32[?, 3, 32, 32]");
    EXPECT_EQ(to_string(TensorType{DType::kBool, {}}), "bool[]");
}

}  // namespace
}  // namespace esper::graph
