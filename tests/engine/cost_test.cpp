#include "esper/program/cost/cost.h"

#include <gtest/gtest.h>

#include <functional>

#include "esper/program/cost/cost_rules.h"
#include "esper/program/layers.h"

namespace esper::graph {
namespace {

TensorType floats(std::vector<std::int64_t> shape) { return {DType::kFloat32, std::move(shape)}; }

/// Costs a Program of one operator: `write` adds the calls to operands that all need gradients.
Cost cost_of(const std::function<ValueId(ProgramBuilder&)>& write) {
    ProgramBuilder b("one");
    b.output("y", write(b));
    auto program = b.finish();
    EXPECT_TRUE(program) << program.error().to_string();
    if (!program) return {};
    auto cost = count_cost(**program);
    EXPECT_TRUE(cost) << cost.error().to_string();
    return cost ? *cost : Cost{};
}

/// Forward and backward of one call on trainable operands of the given shapes, then constants.
Flops flops_of(std::string_view op, std::vector<std::vector<std::int64_t>> shapes,
               std::vector<Argument> constants = {}) {
    auto cost = cost_of([&](ProgramBuilder& b) {
        std::vector<Argument> args;
        for (auto& shape : shapes)
            args.emplace_back(
                b.parameter("p" + std::to_string(args.size()), floats(shape), normal(1)));
        args.insert(args.end(), constants.begin(), constants.end());
        return b.call(op, std::move(args));
    });
    return {cost.forward_flops, cost.training_flops - cost.forward_flops};
}

bool operator_costs(const Flops& got, std::uint64_t forward, std::uint64_t backward) {
    if (got == Flops{forward, backward}) return true;
    ADD_FAILURE() << "got " << got.forward << " forward, " << got.backward << " backward";
    return false;
}

TEST(Cost, OfLinearMapsIsTwoPerMultiplyAdd) {
    // 4×5 outputs of 3 products each.
    EXPECT_TRUE(operator_costs(flops_of("aten::linear", {{4, 3}, {5, 3}}), 120, 240));
    EXPECT_TRUE(operator_costs(flops_of("aten::linear", {{4, 3}, {5, 3}, {5}}), 140, 260));
    EXPECT_TRUE(operator_costs(flops_of("aten::mm", {{4, 3}, {3, 5}}), 120, 240));
    EXPECT_TRUE(operator_costs(flops_of("aten::bmm", {{2, 4, 3}, {2, 3, 5}}), 240, 480));
    EXPECT_TRUE(operator_costs(flops_of("aten::matmul", {{2, 4, 3}, {3, 5}}), 240, 480));
    EXPECT_TRUE(operator_costs(flops_of("aten::addmm", {{5}, {4, 3}, {3, 5}}), 140, 255));
    EXPECT_TRUE(
        operator_costs(flops_of("aten::baddbmm", {{2, 4, 5}, {2, 4, 3}, {2, 3, 5}}), 280, 480));
}

TEST(Cost, OfConvolutionsFollowsKernelStrideAndGroups) {
    // 6 channels of 8×8, 4 input channels and 3×3 taps each.
    const std::uint64_t same = 2 * 6 * 64 * 4 * 9;
    EXPECT_TRUE(operator_costs(flops_of("aten::conv2d", {{1, 4, 8, 8}, {6, 4, 3, 3}},
                                        {none(), ints({1, 1}), ints({1, 1})}),
                               same, 2 * same));
    EXPECT_TRUE(operator_costs(
        flops_of("aten::conv2d", {{1, 4, 8, 8}, {6, 4, 3, 3}, {6}}, {ints({2, 2}), ints({1, 1})}),
        same / 4 + 6 * 16, same / 2 + 6 * 16));
    // Depthwise: one input channel per output.
    const std::uint64_t depthwise = 2 * 4 * 64 * 9;
    EXPECT_TRUE(
        operator_costs(flops_of("aten::conv2d", {{1, 4, 8, 8}, {4, 1, 3, 3}},
                                {none(), ints({1, 1}), ints({1, 1}), ints({1, 1}), constant(4)}),
                       depthwise, 2 * depthwise));
    EXPECT_TRUE(operator_costs(flops_of("aten::conv1d", {{1, 4, 10}, {6, 4, 3}}), 2 * 6 * 8 * 12,
                               4 * 6 * 8 * 12));
    // Every input number is multiplied with the 6×3×3 weights of its channel.
    const std::uint64_t transposed = 2 * 4 * 64 * 54;
    EXPECT_TRUE(
        operator_costs(flops_of("aten::conv_transpose2d.input", {{1, 4, 8, 8}, {4, 6, 3, 3}}),
                       transposed, 2 * transposed));
    EXPECT_TRUE(operator_costs(flops_of("aten::convolution", {{1, 4, 8, 8}, {4, 6, 3, 3}},
                                        {none(), ints({1, 1}), ints({0, 0}), ints({1, 1}),
                                         constant(true), ints({0, 0}), constant(1)}),
                               transposed, 2 * transposed));
}

TEST(Cost, OfCausalAttentionCountsThePairsItNeeds) {
    // 2 heads of 4 queries and keys, 3 features: 16 pairs each, 10 of them causal.
    std::vector<std::vector<std::int64_t>> qkv(3, {1, 2, 4, 3});
    const std::uint64_t pair = 6 + 1 + 5 + 6;
    const std::uint64_t back = 6 + 4 + 1 + 6 + 6 + 6;
    EXPECT_TRUE(
        operator_costs(flops_of("aten::scaled_dot_product_attention", qkv), 32 * pair, 32 * back));
    EXPECT_TRUE(operator_costs(flops_of("aten::scaled_dot_product_attention", qkv,
                                        {none(), constant(0.0), constant(true)}),
                               20 * pair, 20 * back));
}

TEST(Cost, OfNormsFollowsTheDocumentedSteps) {
    EXPECT_TRUE(
        operator_costs(flops_of("aten::layer_norm", {{2, 8}}, {ints({8})}), 5 * 16, 9 * 16));
    auto affine = [](const char* op, std::vector<std::int64_t> shape, std::vector<Argument> between,
                     std::vector<Argument> rest) {
        auto cost = cost_of([&](ProgramBuilder& b) {
            auto features = shape[1];
            std::vector<Argument> args{b.parameter("x", floats(shape), normal(1))};
            args.insert(args.end(), between.begin(), between.end());
            args.emplace_back(b.parameter("w", floats({features}), ones()));
            args.emplace_back(b.parameter("b", floats({features}), zeros()));
            args.insert(args.end(), rest.begin(), rest.end());
            return b.call(op, args);
        });
        return Flops{cost.forward_flops, cost.training_flops - cost.forward_flops};
    };
    EXPECT_TRUE(
        operator_costs(affine("aten::layer_norm", {2, 8}, {ints({8})}, {}), 7 * 16, 13 * 16));
    EXPECT_TRUE(operator_costs(affine("aten::group_norm", {2, 8, 3, 3}, {constant(2)}, {}), 7 * 144,
                               13 * 144));
    auto batch = cost_of([](ProgramBuilder& b) {
        return batch_norm(b, "bn", b.parameter("x", floats({2, 8, 3, 3}), normal(1)), 8);
    });
    EXPECT_EQ(batch.forward_flops, 7U * 144);
    EXPECT_EQ(batch.training_flops, 20U * 144);
    EXPECT_TRUE(operator_costs(flops_of("aten::rms_norm", {{2, 8}}, {ints({8})}), 3 * 16, 5 * 16));
    auto rms = cost_of([](ProgramBuilder& b) {
        return rms_norm(b, "n", b.parameter("x", floats({2, 8}), normal(1)), 8);
    });
    EXPECT_EQ(rms.forward_flops, 4U * 16);
    EXPECT_EQ(rms.training_flops, (4U + 6 + 3) * 16);
}

TEST(Cost, OfSoftmaxAndLosses) {
    EXPECT_TRUE(operator_costs(flops_of("aten::softmax.int", {{2, 8}}, {constant(1)}), 80, 64));
    EXPECT_TRUE(operator_costs(flops_of("aten::log_softmax.int", {{2, 8}}, {constant(1)}), 80, 64));
    auto loss = cost_of([](ProgramBuilder& b) {
        auto target = b.input("t", {DType::kInt64, {2}});
        return b.call("aten::cross_entropy_loss",
                      {b.parameter("x", floats({2, 8}), normal(1)), target});
    });
    EXPECT_EQ(loss.forward_flops, 80U);
    EXPECT_EQ(loss.training_flops, 80U + 32);
}

TEST(Cost, OfElementwiseOperatorsIsOnePerElementAndBroadcastGradientsAreSummed) {
    for (const char* op : {"aten::relu", "aten::gelu", "aten::silu", "aten::sigmoid", "aten::tanh",
                           "aten::exp", "aten::neg", "aten::sin", "aten::rsqrt", "aten::hardswish"})
        EXPECT_TRUE(operator_costs(flops_of(op, {{2, 8}}), 16, 16)) << op;
    EXPECT_TRUE(operator_costs(flops_of("aten::mul.Scalar", {{2, 8}}, {constant(2.0)}), 16, 16));
    EXPECT_TRUE(operator_costs(flops_of("aten::add.Scalar", {{2, 8}}, {constant(2.0)}), 16, 0));
    EXPECT_TRUE(operator_costs(flops_of("aten::add.Tensor", {{2, 8}, {2, 8}}), 16, 0));
    EXPECT_TRUE(operator_costs(flops_of("aten::add.Tensor", {{2, 8}, {8}}), 16, 8));
    EXPECT_TRUE(operator_costs(flops_of("aten::mul.Tensor", {{2, 8}, {2, 8}}), 16, 32));
    EXPECT_TRUE(operator_costs(flops_of("aten::mul.Tensor", {{2, 8}, {1}}), 16, 32 + 15));
    EXPECT_TRUE(operator_costs(flops_of("aten::div.Tensor", {{2, 8}, {2, 8}}), 16, 48));
    EXPECT_TRUE(operator_costs(flops_of("aten::addcmul", {{2, 8}, {2, 8}, {2, 8}}), 32, 32));
}

TEST(Cost, OfReductionsAndPooling) {
    EXPECT_TRUE(operator_costs(flops_of("aten::sum.dim_IntList", {{2, 8}}, {ints({1})}), 14, 0));
    EXPECT_TRUE(operator_costs(flops_of("aten::mean.dim", {{2, 8}}, {ints({1})}), 16, 2));
    EXPECT_TRUE(operator_costs(flops_of("aten::amax", {{2, 8}}, {ints({1})}), 14, 16));
    EXPECT_TRUE(operator_costs(
        flops_of("aten::adaptive_avg_pool2d", {{1, 3, 8, 8}}, {ints({1, 1})}), 192, 3));
    EXPECT_TRUE(
        operator_costs(flops_of("aten::max_pool2d", {{1, 3, 8, 8}}, {ints({2, 2})}), 3 * 48, 48));
    EXPECT_TRUE(
        operator_costs(flops_of("aten::avg_pool2d", {{1, 3, 8, 8}}, {ints({2, 2})}), 192, 192));
    EXPECT_TRUE(operator_costs(flops_of("aten::expand", {{1, 8}}, {ints({4, 8})}), 0, 24));
}

TEST(Cost, OfEmbeddingsIsTheirGradientAlone) {
    auto cost = cost_of([](ProgramBuilder& b) {
        auto tokens = b.input("x", {DType::kInt64, {-1, 6}});
        return b.call("aten::embedding", {b.parameter("e", floats({10, 4}), normal(1)), tokens});
    });
    EXPECT_EQ(cost.forward_flops, 0U);
    EXPECT_EQ(cost.training_flops, 24U);
    EXPECT_EQ(cost.parameters, 40);
}

TEST(Cost, CountsNoGradientThatNobodyNeeds) {
    // The first layer's input is data, so only its weight costs backward.
    auto first = cost_of([](ProgramBuilder& b) {
        return linear(b, "fc", b.input("x", floats({-1, 3})), {3, 5, false}, normal(1));
    });
    EXPECT_EQ(first.forward_flops, 30U);
    EXPECT_EQ(first.training_flops, 60U);
    // No cost for frozen weights and for operators before a detach.
    auto frozen = cost_of([](ProgramBuilder& b) {
        auto x = b.parameter("x", floats({1, 3}), normal(1));
        auto w = b.parameter("w", floats({5, 3}), normal(1), false);
        return b.call("aten::linear", {b.call("aten::detach", {x}), w});
    });
    EXPECT_EQ(frozen.training_flops, frozen.forward_flops);
    // A call that no output depends on runs forward, but not backward.
    auto dead = cost_of([](ProgramBuilder& b) {
        auto x = b.parameter("x", floats({1, 3}), normal(1));
        b.call("aten::exp", {x});
        return b.call("aten::relu", {x});
    });
    EXPECT_EQ(dead.forward_flops, 6U);
    EXPECT_EQ(dead.training_flops, 9U);
}

TEST(Cost, CountsASharedParameterOnce) {
    auto cost = cost_of([](ProgramBuilder& b) {
        auto x = b.input("x", floats({-1, 4}));
        auto w = b.parameter("w", floats({4, 4}), normal(1));
        return b.call("aten::linear", {b.call("aten::linear", {x, w}), w});
    });
    EXPECT_EQ(cost.parameters, 16);
    EXPECT_EQ(cost.instructions[0].parameters, 16);
    EXPECT_EQ(cost.instructions[1].parameters, 0);
}

}  // namespace
}  // namespace esper::graph
