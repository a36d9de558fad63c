// C++ modules of users: recorded, grown in the user's loop, exported.
#include "esper/growing_module.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>

namespace esper {
namespace {

namespace nn = torch::nn;

/// A residual block with BatchNorm, in-place ReLU and dropout, and a constant made by hand.
struct Net : nn::Module {
    explicit Net(double dropout) {
        conv = register_module("conv", nn::Conv2d(nn::Conv2dOptions(3, 8, 3).padding(1)));
        bn = register_module("bn", nn::BatchNorm2d(8));
        inner = register_module("block", nn::Conv2d(nn::Conv2dOptions(8, 8, 3).padding(1)));
        drop = register_module("drop", nn::Dropout(dropout));
        head = register_module("head", nn::Linear(8, 4));
    }
    at::Tensor forward(const at::Tensor& x) {
        auto h = bn(conv(x)).relu_();
        h = h + inner(h);
        h = drop(h.mean({2, 3}));
        return head(h) * torch::tensor({1.0, 2.0, 0.5, 1.5});
    }
    nn::Conv2d conv{nullptr}, inner{nullptr};
    nn::BatchNorm2d bn{nullptr};
    nn::Dropout drop{nullptr};
    nn::Linear head{nullptr};
};

std::vector<at::Tensor> gradients(Net& net, const at::Tensor& loss) {
    for (auto& p : net.parameters()) p.mutable_grad() = at::Tensor();
    loss.backward();
    std::vector<at::Tensor> all;
    for (const auto& p : net.parameters()) all.push_back(p.grad().clone());
    return all;
}

at::Tensor total(const at::Tensor& y) { return (y * y).sum(); }

TEST(GrowingModule, GivesTheModulesOwnOutputsGradientsAndStatistics) {
    Net net(0.0);
    const auto x = at::randn({4, 3, 6, 6});
    auto model = wrap(net, {x});
    for (const auto batch : {4, 7}) {
        const auto input = at::randn({batch, 3, 6, 6});
        const auto mean = net.bn->running_mean.clone();
        const auto want = net.forward(input);
        const auto want_gradients = gradients(net, total(want));
        const auto mean_after = net.bn->running_mean.clone();
        const auto counted = net.bn->num_batches_tracked.item<std::int64_t>();
        net.bn->running_mean.copy_(mean);
        const auto got = model.forward({input})[0];
        const auto got_gradients = gradients(net, total(got));
        EXPECT_TRUE(at::equal(got, want));
        for (std::size_t i = 0; i < want_gradients.size(); ++i)
            EXPECT_TRUE(at::equal(got_gradients[i], want_gradients[i])) << i;
        EXPECT_TRUE(at::equal(net.bn->running_mean, mean_after));
        EXPECT_EQ(net.bn->num_batches_tracked.item<std::int64_t>(), counted + 1);
    }
    net.eval();
    const auto before = net.bn->running_mean.clone();
    EXPECT_TRUE(at::equal(model.forward({x})[0], net.forward(x)));
    EXPECT_TRUE(at::equal(net.bn->running_mean, before));
}

TEST(GrowingModule, RecordingLeavesBuffersAlone) {
    Net net(0.0);
    const auto before = net.bn->running_var.clone();
    auto model = wrap(net, {at::randn({4, 3, 6, 6})});
    EXPECT_TRUE(at::equal(net.bn->running_var, before));
    EXPECT_EQ(net.bn->num_batches_tracked.item<std::int64_t>(), 0);
}

TEST(GrowingModule, DrawsDropoutFromTheStepAlone) {
    Net net(0.5);
    const auto x = at::randn({4, 3, 6, 6});
    auto model = wrap(net, {x});
    const auto first = model.forward({x})[0].detach().clone();
    EXPECT_TRUE(at::equal(model.forward({x})[0], first));
    model.tick(0.0);
    EXPECT_FALSE(at::equal(model.forward({x})[0], first));
    net.eval();
    EXPECT_TRUE(at::equal(model.forward({x})[0], net.forward(x)));
}

TEST(GrowingModule, ASeedInIsolationLeavesTheHostAsItIs) {
    Net net(0.0);
    const auto x = at::randn({4, 3, 6, 6});
    auto model = wrap(net, {x});
    const auto plain = model.program_sha256();
    const auto output = model.forward({x})[0];
    const auto host = gradients(net, total(output));
    const auto born = model.germinate("conv", "bottleneck_1x1");
    EXPECT_FALSE(born.empty());
    const auto seeded = model.forward({x})[0];
    EXPECT_TRUE(at::equal(seeded, output));
    const auto with = gradients(net, total(seeded));
    for (std::size_t i = 0; i < host.size(); ++i) EXPECT_TRUE(at::equal(host[i], with[i])) << i;
    for (const auto& p : born) EXPECT_TRUE(p.grad().defined());
    model.cull("conv");
    EXPECT_EQ(model.program_sha256(), plain);
}

TEST(GrowingModule, ABlendedSeedActsAndCanBeKept) {
    Net net(0.0);
    const auto x = at::randn({4, 3, 6, 6});
    auto model = wrap(net, {x});
    model.germinate("conv", "bottleneck_1x1");
    model.graft("conv", 2);
    net.eval();
    const auto without = model.forward({x})[0].detach().clone();
    EXPECT_TRUE(at::equal(without, net.forward(x)));
    for (int i = 0; i < 2; ++i) model.tick(1.0);
    const auto blended = model.forward({x})[0].detach().clone();
    EXPECT_FALSE(at::equal(blended, without));
    for (int i = 0; i < 3; ++i) model.advance("conv");
    model.fossilize("conv");
    EXPECT_TRUE(at::allclose(model.forward({x})[0], blended, 1e-5, 1e-6));
    EXPECT_EQ(model.parameters().size(), net.parameters().size() + model.seed_parameters().size());
}

TEST(GrowingModule, SaysWhatIsWrong) {
    Net net(0.0);
    const auto x = at::randn({4, 3, 6, 6});
    auto model = wrap(net, {x});
    EXPECT_THROW(model.germinate("cnov", "bottleneck_1x1"), std::runtime_error);
    EXPECT_THROW(model.germinate("conv", "no_such_blueprint"), std::runtime_error);
    EXPECT_THROW(model.graft("conv", 2), std::runtime_error);
    EXPECT_THROW(model.set_training(true), std::runtime_error);
    EXPECT_THROW(wrap(net, {x}, {{"nothing"}, 1}), std::runtime_error);
    EXPECT_THROW(GrowingModule::from_pt2("/nowhere.pt2"), std::runtime_error);
}

/// Branches on a value; a recording would always take the same branch.
struct Branching : nn::Module {
    at::Tensor forward(const at::Tensor& x) { return x.sum().item<double>() > 0 ? x * 2 : x; }
};

TEST(GrowingModule, RefusesWhatFollowsFromData) {
    Branching module;
    try {
        wrap(module, {at::randn({4, 3})});
        FAIL() << "was recorded";
    } catch (const std::runtime_error& e) {
        EXPECT_NE(std::string(e.what()).find("reads a value out of a tensor"), std::string::npos)
            << e.what();
    }
}

}  // namespace
}  // namespace esper
