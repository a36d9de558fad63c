#include "esper/program/loss.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>

#include "esper/engine/interpreter.h"
#include "esper/engine/joint/joint_program.h"
#include "esper/program/builder.h"

namespace esper::graph {
namespace {

/// The same numbers in every run: sums are rounded otherwise than PyTorch's, and now and then a
/// gradient is so near zero that this is more than allclose allows.
struct Loss : testing::Test {
    Loss() { at::manual_seed(5); }
};

ProgramPtr linear_host(std::int64_t outputs) {
    ProgramBuilder b("linear");
    auto x = b.input("x", {DType::kFloat32, {-1, 6}});
    auto w = b.parameter("fc.weight", {DType::kFloat32, {outputs, 6}}, {Init::Kind::kNormal, 0.3});
    auto bias = b.parameter("fc.bias", {DType::kFloat32, {outputs}}, {Init::Kind::kNormal, 0.3});
    b.output("logits", b.call("aten::linear", {x, w, bias}, "fc"));
    return value_or_throw(b.finish());
}

JointSpec forward_of(const ProgramPtr& program) {
    JointSpec spec;
    spec.program = program;
    spec.training = false;
    return spec;
}

at::Tensor logits_of(const TensorStore& store, const at::Tensor& x) {
    return at::linear(x, store.find_parameter("fc.weight")->value,
                      store.find_parameter("fc.bias")->value);
}

TEST_F(Loss, ASquaredErrorAndItsGradientsAreThoseOfPyTorch) {
    const auto host = linear_host(1);
    const auto program = value_or_throw(with_loss(*host, {.kind = LossKind::kSquaredError}));
    TensorStore store({1, false});
    ASSERT_TRUE(store.add(*program, "host"));
    const std::vector<at::Tensor> inputs{at::randn({16, 6}), at::randn({16})};
    for (const auto rewrites : {Rewrites::kExact, Rewrites::kFast}) {
        auto joint = value_or_throw(JointProgram::record(
            {program, true, Precision::kFloat32, {"loss"}, {}, {}, rewrites}, store, inputs));
        const auto got = value_or_throw(joint.run(inputs));
        auto w = store.find_parameter("fc.weight")->value.detach().clone().requires_grad_(true);
        auto bias = store.find_parameter("fc.bias")->value.detach().clone().requires_grad_(true);
        const auto loss = at::mse_loss(at::linear(inputs[0], w, bias).squeeze(1), inputs[1]);
        const auto gradients = torch::autograd::grad({loss}, {w, bias});
        EXPECT_TRUE(at::allclose(got.outputs[0], loss.detach()));
        EXPECT_TRUE(at::allclose(store.find_parameter("fc.weight")->gradient, gradients[0]));
        EXPECT_TRUE(at::allclose(store.find_parameter("fc.bias")->gradient, gradients[1]));
    }
}

TEST_F(Loss, EachExampleHasItsOwnSquaredError) {
    const auto host = linear_host(1);
    const auto program =
        value_or_throw(with_loss(*host, {.per_example = true, .kind = LossKind::kSquaredError}));
    ASSERT_EQ(program->outputs().size(), 1U);
    TensorStore store({1, false});
    ASSERT_TRUE(store.add(*program, "host"));
    const std::vector<at::Tensor> inputs{at::randn({5, 6}), at::randn({5})};
    auto joint = value_or_throw(JointProgram::record(forward_of(program), store, inputs));
    const auto got = value_or_throw(joint.run(inputs));
    const auto expected = (logits_of(store, inputs[0]).squeeze(1) - inputs[1]).square();
    EXPECT_TRUE(at::allclose(got.outputs[0], expected));
}

TEST_F(Loss, AmongTheBestIsWhatTopkSays) {
    const auto host = linear_host(30);
    const auto program = value_or_throw(with_loss(*host, {.per_example = true, .among_best = 5}));
    TensorStore store({1, false});
    ASSERT_TRUE(store.add(*program, "host"));
    const std::vector<at::Tensor> inputs{at::randn({200, 6}), at::randint(0, 30, {200}, at::kLong)};
    auto joint = value_or_throw(JointProgram::record(forward_of(program), store, inputs));
    const auto got = value_or_throw(joint.run(inputs));
    const auto best = std::get<1>(at::topk(logits_of(store, inputs[0]), 5));
    const auto expected = best.eq(inputs[1].unsqueeze(1)).any(1).to(at::kFloat);
    EXPECT_TRUE(at::equal(got.outputs[2], expected));
    EXPECT_GT(expected.sum().item<double>(), 0);
    EXPECT_LT(expected.sum().item<double>(), 200);
}

TEST_F(Loss, ASquaredErrorOfSeveralOutputsIsRefused) {
    const auto program = with_loss(*linear_host(2), {.kind = LossKind::kSquaredError});
    ASSERT_FALSE(program);
    EXPECT_TRUE(program.error().is(GraphError::kMalformed));
}

/// Loss and gradients against torch's, with and without the fast rewrites.
void expect_those_of_torch(LossKind kind, const std::vector<at::Tensor>& inputs,
                           const std::function<at::Tensor(const at::Tensor& logits)>& reference) {
    const auto host = linear_host(5);
    const auto program = value_or_throw(with_loss(*host, {.kind = kind}));
    TensorStore store({1, false});
    ASSERT_TRUE(store.add(*program, "host"));
    for (const auto rewrites : {Rewrites::kExact, Rewrites::kFast}) {
        auto joint = value_or_throw(JointProgram::record(
            {program, true, Precision::kFloat32, {"loss"}, {}, {}, rewrites}, store, inputs));
        const auto got = value_or_throw(joint.run(inputs));
        auto w = store.find_parameter("fc.weight")->value.detach().clone().requires_grad_(true);
        auto bias = store.find_parameter("fc.bias")->value.detach().clone().requires_grad_(true);
        const auto loss = reference(at::linear(inputs[0], w, bias));
        const auto gradients = torch::autograd::grad({loss}, {w, bias});
        EXPECT_TRUE(at::allclose(got.outputs[0], loss.detach()));
        EXPECT_TRUE(
            at::allclose(store.find_parameter("fc.weight")->gradient, gradients[0], 1e-5, 1e-7));
        EXPECT_TRUE(
            at::allclose(store.find_parameter("fc.bias")->gradient, gradients[1], 1e-5, 1e-7));
    }
}

TEST_F(Loss, SoftClassesAreTorchsProbabilities) {
    const auto target = at::softmax(at::randn({16, 5}), 1);
    expect_those_of_torch(LossKind::kSoftClasses, {at::randn({16, 6}), target},
                          [&](const at::Tensor& x) { return at::cross_entropy_loss(x, target); });
}

TEST_F(Loss, LabelsAreTorchsBinaryCrossEntropy) {
    const auto holds = at::rand({16, 5}).gt(0.5);
    expect_those_of_torch(LossKind::kLabels, {at::randn({16, 6}) * 5, holds},
                          [&](const at::Tensor& x) {
                              return at::binary_cross_entropy_with_logits(x, holds.to(at::kFloat));
                          });
}

TEST_F(Loss, SoftLabelsAreTorchsBinaryCrossEntropyWithPositiveWeights) {
    const auto shares = at::rand({16, 5});
    const auto weights = at::tensor({0.0F, 0.25F, 1.0F, 3.0F, 40.0F});
    const auto target = at::stack({1 + (weights - 1) * shares, weights * shares}, 1);
    expect_those_of_torch(LossKind::kSoftLabels, {at::randn({16, 6}) * 5, target},
                          [&](const at::Tensor& x) {
                              return at::binary_cross_entropy_with_logits(x, shares, {}, weights);
                          });
}

TEST_F(Loss, EachExampleHasTheLossOfItsLabelsAndTheScores) {
    const auto host = linear_host(3);
    const auto program = value_or_throw(
        with_loss(*host, {.per_example = true, .kind = LossKind::kLabels, .scores = true}));
    TensorStore store({1, false});
    ASSERT_TRUE(store.add(*program, "host"));
    const std::vector<at::Tensor> inputs{at::randn({4, 6}), at::rand({4, 3}).gt(0.5)};
    auto joint = value_or_throw(JointProgram::record(forward_of(program), store, inputs));
    const auto got = value_or_throw(joint.run(inputs)).outputs;
    const auto logits = logits_of(store, inputs[0]);
    const auto losses = at::binary_cross_entropy_with_logits(logits, inputs[1].to(at::kFloat), {},
                                                             {}, at::Reduction::None);
    EXPECT_TRUE(at::allclose(got[0], losses.mean(1)));
    EXPECT_TRUE(at::allclose(got[1], logits.gt(0).eq(inputs[1]).to(at::kFloat).mean(1)));
    EXPECT_TRUE(at::equal(got[2], logits));
}

TEST_F(Loss, SoftClassesAndLabelsHaveNoLossOfOneExample) {
    for (const auto kind : {LossKind::kSoftClasses, LossKind::kSoftLabels}) {
        const auto refused = with_loss(*linear_host(3), {.per_example = true, .kind = kind});
        ASSERT_FALSE(refused);
        EXPECT_TRUE(refused.error().is(GraphError::kMalformed));
    }
}

}  // namespace
}  // namespace esper::graph
