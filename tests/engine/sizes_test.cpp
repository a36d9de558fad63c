// Values that are not tensors (sizes and numbers computed from them), and operators that return
// lists.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "esper/engine/interpreter.h"
#include "esper/engine/joint/joint_program.h"
#include "esper/engine/tensor_store.h"
#include "esper/program/anchor_types.h"
#include "esper/program/binary/binary_format.h"
#include "esper/program/builder.h"
#include "esper/program/shapes.h"
#include "esper/program/text/text_format.h"

namespace esper::graph {
namespace {

// Swaps the halves of each row, at any batch size, by computing with sizes.
ProgramBuilder swapped_halves() {
    ProgramBuilder b("halves");
    auto x = b.input("x", {DType::kFloat32, {-1, 6}});
    auto rows = b.call("aten::sym_size.int", {x, constant(0)});
    auto two = b.call("esper::integer", {constant(2)});
    auto twice = b.call("esper::size_mul", {rows, two});
    auto three = b.call("esper::size_floordiv", {b.call("esper::integer", {constant(7)}), two});
    auto flat = b.call("aten::reshape", {x, values({twice, three})});
    auto back = b.call("aten::reshape", {flat, values({rows, two, three})});
    auto halves = b.call_n("aten::unbind.int", {back, constant(1)}, 2);
    auto y = b.call("aten::cat", {values({halves[1], halves[0]}), constant(1)});
    b.anchor("y", AnchorKind::kVector, y, 6);
    b.output("y", y);
    return b;
}

at::Tensor swapped(const at::Tensor& x) {
    return at::cat({x.narrow(1, 3, 3), x.narrow(1, 0, 3)}, 1);
}

TEST(Sizes, AreValuesLikeAnyOther) {
    const auto program = value_or_throw(swapped_halves().finish());
    TensorStore store(TensorStore::Options{});
    auto interpreter = value_or_throw(Interpreter::make(program, false));
    for (const auto rows : {1, 4}) {
        const auto x = at::randn({rows, 6});
        const auto y = value_or_throw(interpreter.run(store, std::vector<at::Tensor>{x}));
        EXPECT_TRUE(at::equal(y[0], swapped(x)));
        JointSpec spec;
        spec.program = program;
        auto joint = value_or_throw(JointProgram::record(spec, store, std::vector<at::Tensor>{x}));
        const auto other = at::randn({rows, 6});
        EXPECT_TRUE(at::equal(value_or_throw(joint.run(std::vector<at::Tensor>{other})).outputs[0],
                              swapped(other)));
    }
}

TEST(Sizes, SurviveTextAndBytesAndLeaveTheBatchFree) {
    const auto program = value_or_throw(swapped_halves().finish());
    EXPECT_EQ(value_or_throw(from_text(to_text(*program)))->hash(), program->hash());
    EXPECT_EQ(value_or_throw(from_binary(to_binary(*program)))->hash(), program->hash());
    const auto types = value_or_throw(anchor_types(*program));
    EXPECT_EQ(to_string(types[0]), "f32[?, 6]");
}

TEST(Sizes, FollowPythonsArithmetic) {
    ProgramBuilder b("arithmetic");
    auto minus = b.call("esper::integer", {constant(-7)});
    auto two = b.call("esper::integer", {constant(2)});
    const auto make = [&](const char* op) { return b.call(op, {minus, two}); };
    const std::vector<ValueId> sizes{make("esper::size_add"), make("esper::size_sub"),
                                     make("esper::size_mul"), make("esper::size_floordiv"),
                                     make("esper::size_mod"), make("esper::size_min"),
                                     make("esper::size_max"), b.call("esper::size_neg", {minus})};
    const std::vector<std::int64_t> wanted{-5, -9, -14, -4, 1, -7, 2, 7};
    auto half = b.call("esper::real_div", {b.call("esper::size_float", {minus}),
                                           b.call("esper::real", {constant(2.0)})});
    auto up = b.call("esper::size_ceil", {half});
    auto down = b.call("esper::size_floor", {half});
    auto cut = b.call("esper::size_trunc", {half});
    auto all = sizes;
    all.insert(all.end(), {up, down, cut});
    int n = 0;
    for (auto size : all)
        b.output("o" + std::to_string(n++),
                 b.call("aten::full",
                        {ints({1}), size, Constant{DType::kInt64}, none(), none(), none()}));
    const auto program = value_or_throw(b.finish());
    auto interpreter = value_or_throw(Interpreter::make(program, false));
    const auto got = value_or_throw(interpreter.run(TensorStore({}), {}));
    auto expected = wanted;
    expected.insert(expected.end(), {-3, -4, -3});
    for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_EQ(got[i].item<std::int64_t>(), expected[i]) << i;
}

void expect_refused(const Result<ProgramPtr>& made, std::string_view words) {
    ASSERT_FALSE(made) << words;
    EXPECT_TRUE(made.error().is(GraphError::kBadArguments)) << made.error().to_string();
    EXPECT_NE(made.error().message().find(words), std::string::npos) << made.error().to_string();
}

TEST(Sizes, DoNotStandWhereATensorIsWanted) {
    auto b = swapped_halves();
    auto x = b.input("z", {DType::kFloat32, {-1, 6}});
    auto rows = b.call("aten::sym_size.int", {x, constant(0)});
    b.call("aten::relu", {rows});
    expect_refused(b.finish(), "argument 'self' must be Tensor");
}

TEST(Sizes, AreNoOutputs) {
    ProgramBuilder b("size");
    auto x = b.input("x", {DType::kFloat32, {-1, 6}});
    b.output("y", b.call("aten::sym_size.int", {x, constant(0)}));
    expect_refused(b.finish(), "must be a tensor");
}

TEST(Sizes, ATensorIsNoSize) {
    ProgramBuilder b("size");
    auto x = b.input("x", {DType::kFloat32, {-1, 6}});
    b.output("y", b.call("aten::reshape", {x, values({x})}));
    expect_refused(b.finish(), "argument 'shape'");
}

TEST(Lists, OfAnotherLengthThanTheProgramSaysAreAnErrorWhenTheyCome) {
    ProgramBuilder b("lists");
    auto x = b.input("x", {DType::kFloat32, {-1, 6}});
    b.output("y", b.call_n("aten::chunk", {x, constant(2), constant(0)}, 2)[0]);
    const auto program = value_or_throw(b.finish());
    auto interpreter = value_or_throw(Interpreter::make(program, false));
    const TensorStore store(TensorStore::Options{});
    EXPECT_TRUE(interpreter.run(store, std::vector<at::Tensor>{at::zeros({2, 6})}));
    const auto one = interpreter.run(store, std::vector<at::Tensor>{at::zeros({1, 6})});
    ASSERT_FALSE(one);
    EXPECT_TRUE(one.error().is(GraphError::kExecution));
    EXPECT_NE(one.error().message().find("expected a list of 2, got 1"), std::string::npos);
}

TEST(CounterRandom, DrawsAFlatAndANormalDistribution) {
    ProgramBuilder b("draws");
    auto like = b.input("x", {DType::kFloat32, {-1}});
    auto step = b.control("step", 3);
    b.output("u", b.call("esper::uniform", {like, constant(1), step}));
    b.output("n", b.call("esper::normal", {like, constant(2), step}));
    const auto program = value_or_throw(b.finish());
    TensorStore store(TensorStore::Options{});
    ASSERT_TRUE(store.add(*program, "none"));
    auto interpreter = value_or_throw(Interpreter::make(program, true));
    const auto got =
        value_or_throw(interpreter.run(store, std::vector<at::Tensor>{at::zeros({20'001})}));
    EXPECT_NEAR(got[0].mean().item<double>(), 0.5, 0.01);
    EXPECT_NEAR(got[0].var().item<double>(), 1.0 / 12, 0.003);
    EXPECT_NEAR(got[1].mean().item<double>(), 0, 0.03);
    EXPECT_NEAR(got[1].var().item<double>(), 1, 0.04);
    EXPECT_NEAR((got[1].pow(4)).mean().item<double>(), 3, 0.3);
}

}  // namespace
}  // namespace esper::graph
