// The Program that a recorded forward pass becomes, to the letter.
#include "esper/exchange/importers/module_recorder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/neg.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "esper/program/text/text_format.h"

namespace esper::graph {
namespace {

/// A forward pass over tensors of ones, by name.
struct Model {
    RecordedForward view;

    at::Tensor parameter(const std::string& name, at::IntArrayRef shape) {
        view.parameters.emplace_back(name, at::ones(shape).requires_grad_());
        return view.parameters.back().second;
    }
    at::Tensor buffer(const std::string& name, const at::Tensor& value) {
        view.buffers.emplace_back(name, value);
        return value;
    }
    ImportedModel record(const std::vector<at::Tensor>& inputs) {
        return value_or_throw(record_forward(view, inputs));
    }
};

std::string text_of(const ImportedModel& model) { return to_text(*model.program); }

TEST(ModuleRecorder, WritesConvolutionsNormsDropoutAndWhatStandsBetweenThem) {
    Model model;
    const auto conv = model.parameter("stem.0.weight", {4, 3, 3, 3});
    const auto scale = model.parameter("stem.1.weight", {4});
    const auto shift = model.parameter("stem.1.bias", {4});
    const auto inner = model.parameter("blocks.0.conv.weight", {4, 4, 3, 3});
    const auto outer = model.parameter("blocks.1.conv.weight", {4, 4, 3, 3});
    const auto head = model.parameter("head.weight", {2, 4});
    const auto mean = model.buffer("stem.1.running_mean", at::zeros({4}));
    const auto variance = model.buffer("stem.1.running_var", at::ones({4}));
    const auto outside = at::ones({2});
    const auto count = model.buffer("stem.1.num_batches_tracked", at::zeros({}, at::kLong));
    model.view.forward = [=](const std::vector<at::Tensor>& inputs) {
        auto h = at::conv2d(inputs.at(0), conv, {}, 1, 1);
        count.add_(1);
        h = at::batch_norm(h, scale, shift, mean, variance, true, 0.1, 1e-5, false).relu_();
        h = h + at::relu(at::conv2d(h, inner, {}, 1, 1));
        h = h + at::conv2d(h * 2, outer, {}, 1, 1);
        h = at::dropout(h.mean({2, 3}), 0.5, true);
        return std::vector<at::Tensor>{(at::linear(h, head) + at::ones({2})) / outside};
    };
    const auto recorded = model.record({at::ones({2, 3, 5, 5})});
    EXPECT_EQ(text_of(recorded), R"(esper-program 1 "module"
input x: f32[2, 3, 5, 5]
param stem.0.weight: f32[4, 3, 3, 3] zeros
param stem.1.weight: f32[4] zeros
param stem.1.bias: f32[4] zeros
param blocks.0.conv.weight: f32[4, 4, 3, 3] zeros
param blocks.1.conv.weight: f32[4, 4, 3, 3] zeros
param head.weight: f32[2, 4] zeros
buffer stem.1.running_mean: f32[4] zeros
buffer stem.1.running_var: f32[4] zeros
buffer stem.1.num_batches_tracked: i64[] zeros
buffer constant.0: f32[2] zeros
control dropout.step: 0
%0 = aten::conv2d(x, stem.0.weight, none, [1], [1], [1], 1) @ stem.0
%1 = aten::add_.Scalar(stem.1.num_batches_tracked, train, 1) @ stem.1
%2 = aten::batch_norm(%0, stem.1.weight, stem.1.bias, stem.1.running_mean, stem.1.running_var, train, 0.1, 1e-05, false) @ stem.1
%3 = aten::relu_(%2)
%4 = aten::conv2d(%3, blocks.0.conv.weight, none, [1], [1], [1], 1) @ blocks.0.conv
%5 = aten::relu(%4) @ blocks
%6 = aten::add.Tensor(%3, %5, 1) @ blocks
%7 = aten::mul.Scalar(%6, 2) @ blocks
%8 = aten::conv2d(%7, blocks.1.conv.weight, none, [1], [1], [1], 1) @ blocks.1.conv
%9 = aten::add.Tensor(%6, %8, 1)
%10 = aten::mean.dim(%9, [2, 3], false, none)
%11 = esper::dropout_mask(%10, 0.5, 0, dropout.step, train)
%12 = aten::mul.Tensor(%10, %11)
%13 = aten::ones([2], none, none, none, none)
%14 = aten::linear(%12, head.weight, none) @ head
%15 = aten::add.Tensor(%14, %13, 1)
%16 = aten::div.Tensor(%15, constant.0)
anchor stem.0: image %0 from x features 4
anchor blocks.0.conv: image %4 from %3 features 4
anchor blocks.1.conv: image %8 from %7 features 4
anchor head: vector %14 from %12 features 2
output output: %16
)");
    EXPECT_EQ(count.item<std::int64_t>(), 0);
    EXPECT_EQ(recorded.tensors.size(), 10U);
}

TEST(ModuleRecorder, SeesNoPlaceInAModuleThatIsCalledAgainAndKeepsATiedTensorOnce) {
    Model model;
    const auto up = model.parameter("encoder.layers.0.up", {6, 4});
    const auto down = model.parameter("encoder.layers.0.down", {4, 6});
    const auto tied = model.view.parameters[1].second;
    model.view.parameters.emplace_back("decoder.weight", tied);
    const auto scale = model.parameter("scale", {4});
    model.view.forward = [=](const std::vector<at::Tensor>& inputs) {
        auto h = inputs.at(0);
        for (int i = 0; i < 3; ++i) h = h + at::linear(at::linear(h, up).relu(), down);
        auto kept = at::empty({2, 4});
        kept.copy_(h);
        return std::vector<at::Tensor>{kept * scale, inputs.at(1).sum()};
    };
    const auto recorded = model.record({at::ones({2, 4}), at::ones({3})});
    EXPECT_EQ(text_of(recorded), R"(esper-program 1 "module"
input x: f32[2, 4]
input x1: f32[3]
param encoder.layers.0.up: f32[6, 4] zeros
param encoder.layers.0.down: f32[4, 6] zeros
param scale: f32[4] zeros
%0 = aten::linear(x, encoder.layers.0.up, none) @ encoder.layers.0
%1 = aten::relu(%0) @ encoder.layers.0
%2 = aten::linear(%1, encoder.layers.0.down, none) @ encoder.layers.0
%3 = aten::add.Tensor(x, %2, 1) @ encoder.layers.0
%4 = aten::linear(%3, encoder.layers.0.up, none) @ encoder.layers.0
%5 = aten::relu(%4) @ encoder.layers.0
%6 = aten::linear(%5, encoder.layers.0.down, none) @ encoder.layers.0
%7 = aten::add.Tensor(%3, %6, 1) @ encoder.layers.0
%8 = aten::linear(%7, encoder.layers.0.up, none) @ encoder.layers.0
%9 = aten::relu(%8) @ encoder.layers.0
%10 = aten::linear(%9, encoder.layers.0.down, none) @ encoder.layers.0
%11 = aten::add.Tensor(%7, %10, 1)
%12 = aten::empty.memory_format([2, 4], none, none, none, none, none)
%13 = aten::copy_(%12, %11, false)
%14 = aten::mul.Tensor(%13, scale)
%15 = aten::sum(x1, none)
output output.0: %14
output output.1: %15
)");
    EXPECT_EQ(recorded.aliases.at("decoder.weight"), "encoder.layers.0.down");
}

TEST(ModuleRecorder, KeepsNoMemoryThatTheForwardPassGivesUp) {
    Model model;
    bool gone = false;
    model.view.forward = [&](const std::vector<at::Tensor>& inputs) {
        auto h = at::relu(inputs.at(0));
        const auto memory = h.storage().getWeakStorageImpl();
        h = at::neg(h);
        gone = memory.expired();
        return std::vector<at::Tensor>{h};
    };
    model.record({at::ones({2, 4})});
    EXPECT_TRUE(gone);
}

TEST(ModuleRecorder, TakesNoNewTensorForOneThatIsGone) {
    Model model;
    std::vector<float> numbers(8, 3);
    model.view.forward = [&](const std::vector<at::Tensor>& inputs) {
        auto h = inputs.at(0);
        for (int i = 0; i < 100; ++i) {
            at::relu(h);
            // Made without an operator, where the result above would have been.
            h = h + at::from_blob(numbers.data(), {2, 4});
        }
        return std::vector<at::Tensor>{h};
    };
    const auto recorded = model.record({at::ones({2, 4})});
    EXPECT_EQ(recorded.program->buffers().size(), 100U);
    EXPECT_EQ(recorded.program->instructions().size(), 200U);
}

TEST(ModuleRecorder, RefusesWhatDependsOnData) {
    Model model;
    model.view.forward = [](const std::vector<at::Tensor>& inputs) {
        const auto mean = inputs.at(0).mean();
        return std::vector<at::Tensor>{mean.item<float>() > 0 ? inputs.at(0) : -inputs.at(0)};
    };
    const auto recorded = record_forward(model.view, {at::ones({2, 4})});
    ASSERT_FALSE(recorded);
    EXPECT_EQ(recorded.error().message(),
              "aten::item reads a value out of a tensor; what follows from it would be frozen into "
              "the Program");
}

}  // namespace
}  // namespace esper::graph
