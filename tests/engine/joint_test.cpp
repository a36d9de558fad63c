#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "esper/engine/interpreter.h"
#include "esper/engine/joint/joint_program.h"
#include "esper/program/builder.h"
#include "esper/program/loss.h"

namespace esper::graph {
namespace {

const Init kWeights{Init::Kind::kNormal, 0.1};
const Init kZero{};
const Init kOne{Init::Kind::kConstant, 1.0};

ProgramPtr small_mlp() {
    ProgramBuilder b("mlp");
    Argument x = b.input("x", {DType::kFloat32, {-1, 8}});
    for (int layer = 0; layer < 2; ++layer) {
        auto name = "fc" + std::to_string(layer);
        auto w = b.parameter(name + ".weight", {DType::kFloat32, {8, 8}}, kWeights);
        auto bias = b.parameter(name + ".bias", {DType::kFloat32, {8}}, kWeights);
        x = b.call("aten::relu", {b.call("aten::linear", {x, w, bias}, name)}, name);
    }
    b.output("logits", std::get<ValueId>(x));
    return value_or_throw(b.finish());
}

ProgramPtr small_convnet() {
    ProgramBuilder b("convnet");
    auto x = b.input("x", {DType::kFloat32, {-1, 3, 8, 8}});
    auto w = b.parameter("conv.weight", {DType::kFloat32, {16, 3, 3, 3}}, kWeights);
    auto gamma = b.parameter("bn.weight", {DType::kFloat32, {16}}, kOne);
    auto beta = b.parameter("bn.bias", {DType::kFloat32, {16}}, kZero);
    auto mean = b.buffer("bn.running_mean", {DType::kFloat32, {16}}, kZero);
    auto var = b.buffer("bn.running_var", {DType::kFloat32, {16}}, kOne);
    auto y = b.call("aten::conv2d", {x, w, none(), ints({1, 1}), ints({1, 1})}, "conv");
    y = b.call("aten::batch_norm",
               {y, gamma, beta, mean, var, training_flag(), constant(0.1), constant(1e-5),
                constant(false)},
               "bn");
    y = b.call("aten::relu", {y}, "relu");
    b.anchor("conv", AnchorKind::kImage, y, 16, x);
    y = b.call("aten::mean.dim", {y, ints({2, 3})}, "pool");
    auto head = b.parameter("fc.weight", {DType::kFloat32, {10, 16}}, kWeights);
    auto bias = b.parameter("fc.bias", {DType::kFloat32, {10}}, kZero);
    b.output("logits", b.call("aten::linear", {y, head, bias}, "fc"));
    return value_or_throw(b.finish());
}

struct Reference {
    at::Tensor loss;
    std::vector<at::Tensor> gradients;
};

Reference eager(const ProgramPtr& program, const TensorStore& store,
                std::span<const at::Tensor> inputs) {
    auto interpreter = value_or_throw(Interpreter::make(program, true));
    auto bindings = value_or_throw(Interpreter::bind(*program, store, inputs));
    for (auto& p : bindings.parameters) p = p.detach().requires_grad_(true);
    auto outputs = value_or_throw(interpreter.run(bindings));
    return {outputs[0], torch::autograd::grad({outputs[0]}, bindings.parameters)};
}

void expect_same_as_eager(const ProgramPtr& host, const std::vector<at::Tensor>& inputs,
                          bool channels_last) {
    auto program = value_or_throw(with_loss(*host, {}));
    TensorStore ours({1, channels_last});
    ASSERT_TRUE(ours.add(*program, "host"));
    auto theirs = ours.clone();
    auto joint = value_or_throw(JointProgram::record(
        {program, true, Precision::kFloat32, {"loss"}, {}, {}, Rewrites::kExact}, ours, inputs));
    for (int step = 0; step < 2; ++step) {
        auto expected = eager(program, theirs, inputs);
        auto got = value_or_throw(joint.run(inputs));
        EXPECT_TRUE(at::equal(got.outputs[0], expected.loss.detach()));
        for (std::size_t i = 0; i < program->parameters().size(); ++i) {
            const auto& name = program->parameters()[i].name;
            EXPECT_TRUE(at::equal(ours.find_parameter(name)->gradient, expected.gradients[i]))
                << name << " in step " << step;
        }
        for (const auto& [name, buffer] : theirs.buffers())
            EXPECT_TRUE(at::equal(buffer, ours.buffers().at(name))) << name;
        for (auto* store : {&ours, &theirs})
            for (const auto& p : program->parameters()) {
                auto value = store->find_parameter(p.name)->value;
                value.sub_(expected.gradients[0].sum() * 0.01);
            }
    }
}

TEST(JointProgram, GivesTheLossAndGradientsOfEagerAutogradBitForBitOnAnMlp) {
    expect_same_as_eager(small_mlp(), {at::randn({32, 8}), at::randint(0, 8, {32}, at::kLong)},
                         false);
}

TEST(JointProgram, GivesTheLossAndGradientsOfEagerAutogradBitForBitOnAConvnet) {
    expect_same_as_eager(small_convnet(),
                         {at::randn({4, 3, 8, 8}), at::randint(0, 10, {4}, at::kLong)}, false);
}

TEST(JointProgram, KeepsItsPromiseInChannelsLast) {
    expect_same_as_eager(small_convnet(),
                         {at::randn({4, 3, 8, 8}).contiguous(at::MemoryFormat::ChannelsLast),
                          at::randint(0, 10, {4}, at::kLong)},
                         true);
}

// Without the pull the loss of a seed in isolation is linear in its output and has no minimum.
TEST(JointProgram, AnIsolatedSeedIsPulledBackAsHardAsTheLossPushesWhereItIsAsLargeAsItsAnchor) {
    ProgramBuilder b("isolated");
    auto x = b.input("x", {DType::kFloat32, {-1, 8}});
    auto w = b.parameter("fc.weight", {DType::kFloat32, {8, 8}}, kWeights);
    auto y = b.call("aten::linear", {x, w, none()}, "fc");
    auto v = b.parameter("s.weight", {DType::kFloat32, {8, 8}}, kWeights);
    auto s = b.call("aten::linear", {b.call("aten::detach", {y}), v, none()}, "s");
    b.output("logits", b.call("esper::straight_through", {y, s}));
    auto program = value_or_throw(with_loss(*value_or_throw(b.finish()), {}));
    TensorStore store({1, false});
    ASSERT_TRUE(store.add(*program, "host"));
    std::vector<at::Tensor> inputs{at::randn({16, 8}), at::randint(0, 8, {16}, at::kLong)};
    auto joint = value_or_throw(JointProgram::record(
        {program, true, Precision::kFloat32, {"loss"}, {y, s}, {y}, Rewrites::kExact}, store,
        inputs));
    auto got = value_or_throw(joint.run(inputs));
    const auto& host = got.gradient_taps[0];
    const auto& at_y = got.taps[0];
    const auto pulled = host + got.taps[1] * (host.norm() / at_y.norm());
    EXPECT_TRUE(
        at::allclose(store.find_parameter("s.weight")->gradient, pulled.t().mm(at_y), 1e-4, 1e-6));
    // The host's gradient is the same as without a seed.
    EXPECT_TRUE(at::allclose(store.find_parameter("fc.weight")->gradient, host.t().mm(inputs[0]),
                             1e-4, 1e-6));
}

// libtorch 2.13 crashes in this case without the precaution in recorder.cpp.
TEST(JointProgram, NormalisesAnInputThatNeedsNoGradientInChannelsLast) {
    ProgramBuilder b("normed input");
    auto x = b.input("x", {DType::kFloat32, {-1, 16, 8, 8}});
    auto gamma = b.parameter("gn.weight", {DType::kFloat32, {16}}, kOne);
    auto beta = b.parameter("gn.bias", {DType::kFloat32, {16}}, kZero);
    auto y = b.call("aten::group_norm",
                    {x, constant(4), gamma, beta, constant(1e-5), constant(true)}, "gn");
    b.output("logits", b.call("aten::mean.dim", {y, ints({2, 3})}, "pool"));
    auto program = value_or_throw(with_loss(*value_or_throw(b.finish()), {}));
    TensorStore store({1, true});
    ASSERT_TRUE(store.add(*program, "host"));
    const auto pixels = at::randn({8, 16, 8, 8});
    const auto target = at::randint(0, 16, {8}, at::kLong);
    auto expected = eager(program, store, std::vector{pixels, target});

    std::vector<at::Tensor> inputs{pixels.contiguous(at::MemoryFormat::ChannelsLast), target};
    auto joint = value_or_throw(JointProgram::record(
        {program, true, Precision::kFloat32, {"loss"}, {}, {}, Rewrites::kExact}, store, inputs));
    for (int step = 0; step < 2; ++step) {
        ASSERT_TRUE(joint.run(inputs));
        for (std::size_t i = 0; i < program->parameters().size(); ++i)
            EXPECT_TRUE(at::allclose(store.find_parameter(program->parameters()[i].name)->gradient,
                                     expected.gradients[i], 1e-4, 1e-6));
    }
}

TEST(JointProgram, RecordingLeavesRunningStatisticsAlone) {
    auto program = value_or_throw(with_loss(*small_convnet(), {}));
    TensorStore store({1, false});
    ASSERT_TRUE(store.add(*program, "host"));
    std::vector<at::Tensor> inputs{at::randn({4, 3, 8, 8}), at::randint(0, 10, {4}, at::kLong)};
    auto before = store.buffers().at("bn.running_mean").clone();
    auto joint = JointProgram::record(
        {program, true, Precision::kFloat32, {"loss"}, {}, {}, Rewrites::kExact}, store, inputs);
    ASSERT_TRUE(joint) << joint.error().to_string();
    EXPECT_TRUE(at::equal(before, store.buffers().at("bn.running_mean")));
    ASSERT_TRUE(joint->run(inputs));
    EXPECT_FALSE(at::equal(before, store.buffers().at("bn.running_mean")));
}

TEST(JointProgram, ReturnsActivationsAndTheirGradientsAtAnchors) {
    auto host = small_convnet();
    auto program = value_or_throw(with_loss(*host, {}));
    TensorStore store({1, false});
    ASSERT_TRUE(store.add(*program, "host"));
    std::vector<at::Tensor> inputs{at::randn({4, 3, 8, 8}), at::randint(0, 10, {4}, at::kLong)};
    auto y = program->find_anchor("conv")->value;
    auto joint = value_or_throw(JointProgram::record(
        {program, true, Precision::kFloat32, {"loss"}, {y}, {y}, Rewrites::kExact}, store, inputs));
    auto got = value_or_throw(joint.run(inputs));
    ASSERT_EQ(got.taps.size(), 1U);
    ASSERT_EQ(got.gradient_taps.size(), 1U);
    EXPECT_EQ(got.taps[0].sizes(), got.gradient_taps[0].sizes());
    EXPECT_GT(got.gradient_taps[0].abs().sum().item<float>(), 0.0F);
    EXPECT_EQ(got.taps[0].lt(0).sum().item<std::int64_t>(), 0);
}

TEST(JointProgram, RefusesInputsOfAnotherShape) {
    auto program = value_or_throw(with_loss(*small_mlp(), {}));
    TensorStore store({1, false});
    ASSERT_TRUE(store.add(*program, "host"));
    std::vector<at::Tensor> inputs{at::randn({4, 8}), at::randint(0, 8, {4}, at::kLong)};
    auto joint = value_or_throw(JointProgram::record(
        {program, true, Precision::kFloat32, {"loss"}, {}, {}, Rewrites::kExact}, store, inputs));
    inputs[0] = at::randn({5, 8});
    auto got = joint.run(inputs);
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().is(GraphError::kShapeMismatch));
}

TEST(JointProgram, RefusesALossThatIsNoScalar) {
    TensorStore store({1, false});
    auto program = small_mlp();
    ASSERT_TRUE(store.add(*program, "host"));
    std::vector<at::Tensor> inputs{at::randn({4, 8})};
    auto joint = JointProgram::record(
        {program, true, Precision::kFloat32, {"logits"}, {}, {}, Rewrites::kExact}, store, inputs);
    ASSERT_FALSE(joint);
    EXPECT_TRUE(joint.error().is(GraphError::kNotDifferentiable)) << joint.error().to_string();
}

TEST(JointProgram, RefusesAnOperatorWhoseRandomNumbersAReplayCouldNotRepeat) {
    ProgramBuilder b("dropping");
    auto x = b.input("x", {DType::kFloat32, {-1, 8}});
    auto w = b.parameter("fc.weight", {DType::kFloat32, {8, 8}}, kWeights);
    auto y = b.call("aten::linear", {x, w, none()}, "fc");
    y = b.call("aten::dropout", {y, constant(0.5), training_flag()}, "drop");
    b.output("logits", y);
    auto program = value_or_throw(with_loss(*value_or_throw(b.finish()), {}));
    TensorStore store({1, false});
    ASSERT_TRUE(store.add(*program, "host"));
    std::vector<at::Tensor> inputs{at::randn({4, 8}), at::randint(0, 8, {4}, at::kLong)};
    auto joint = JointProgram::record(
        {program, true, Precision::kFloat32, {"loss"}, {}, {}, Rewrites::kExact}, store, inputs);
    ASSERT_FALSE(joint);
    EXPECT_TRUE(joint.error().is(GraphError::kExecution)) << joint.error().to_string();
    EXPECT_TRUE(JointProgram::record(
        {program, false, Precision::kFloat32, {"loss"}, {}, {}, Rewrites::kExact}, store, inputs));
}

TEST(JointProgram, RewritesMakeTheListShorterAndNothingElse) {
    auto program = value_or_throw(with_loss(*small_mlp(), {}));
    TensorStore store({1, false});
    ASSERT_TRUE(store.add(*program, "host"));
    std::vector<at::Tensor> inputs{at::randn({4, 8}), at::randint(0, 8, {4}, at::kLong)};
    auto plain = value_or_throw(JointProgram::record(
        {program, true, Precision::kFloat32, {"loss"}, {}, {}, Rewrites::kNone}, store, inputs));
    auto short_one = value_or_throw(JointProgram::record(
        {program, true, Precision::kFloat32, {"loss"}, {}, {}, Rewrites::kExact}, store, inputs));
    EXPECT_LT(short_one.operator_count(), plain.operator_count());
}

TEST(JointProgram, RunsInHalfPrecisionWithFullPrecisionGradients) {
    auto program = value_or_throw(with_loss(*small_mlp(), {}));
    TensorStore store({1, false});
    ASSERT_TRUE(store.add(*program, "host"));
    std::vector<at::Tensor> inputs{at::randn({16, 8}), at::randint(0, 8, {16}, at::kLong)};
    auto exact = eager(program, store, inputs);
    auto joint = value_or_throw(JointProgram::record(
        {program, true, Precision::kBFloat16, {"loss"}, {}, {}, Rewrites::kExact}, store, inputs));
    auto got = value_or_throw(joint.run(inputs));
    EXPECT_NEAR(got.outputs[0].item<float>(), exact.loss.item<float>(), 0.02);
    EXPECT_EQ(store.blocks()[0]->grad.scalar_type(), at::kFloat);
    EXPECT_FALSE(at::equal(got.outputs[0], exact.loss.detach()));
}

}  // namespace
}  // namespace esper::graph
