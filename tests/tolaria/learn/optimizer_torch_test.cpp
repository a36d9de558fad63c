// The update rules against PyTorch's own fused kernels, which stand behind
// torch.optim.SGD(fused=True) and torch.optim.AdamW(fused=True).

#include <ATen/core/Tensor.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "esper/base/random.h"
#include "esper/engine/kernels/optimizer_kernels.h"

namespace esper::tolaria {
namespace {

constexpr std::size_t kElements = 5003;

std::vector<float> random(std::uint64_t step) {
    std::vector<float> values(kElements);
    RandomStream stream(3, "optimizer against torch", step);
    for (float& v : values) v = static_cast<float>(stream.normal());
    return values;
}

at::Tensor tensor(std::vector<float>& values) {
    return at::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}, at::kFloat);
}

/// Largest |a - b| relative to 1 + |b|.
double gap(const std::vector<float>& a, const std::vector<float>& b) {
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        largest = std::max(largest, std::abs(double{a[i]} - double{b[i]}) / (1 + std::abs(b[i])));
    }
    return largest;
}

TEST(OptimizerAgainstTorch, SgdMakesTheSameSteps) {
    for (const double momentum : {0.0, 0.9}) {
        for (const bool nesterov : {false, momentum > 0}) {
            auto ours = random(0);
            auto theirs = ours;
            std::vector<float> buffer(kElements);
            std::vector<at::Tensor> their_buffers;
            if (momentum > 0) their_buffers.push_back(at::zeros({kElements}, at::kFloat));
            for (std::uint64_t t = 1; t <= 50; ++t) {
                auto gradients = random(t);
                sgd_step(
                    {.learning_rate = 0.03,
                     .momentum = momentum,
                     .weight_decay = 5e-4,
                     .nesterov = nesterov},
                    {ours.data(), gradients.data(), buffer.data(), nullptr, nullptr, kElements});
                at::_fused_sgd_({tensor(theirs)}, {tensor(gradients)}, their_buffers, 5e-4,
                                momentum, 0.03, 0.0, nesterov, false, t == 1);
            }
            EXPECT_LT(gap(ours, theirs), 2e-6) << momentum << " " << nesterov;
        }
    }
}

TEST(OptimizerAgainstTorch, AdamWMakesTheSameSteps) {
    auto ours = random(0);
    auto theirs = ours;
    std::vector<float> first(kElements);
    std::vector<float> second(kElements);
    const at::Tensor m = at::zeros({kElements}, at::kFloat);
    const at::Tensor v = at::zeros({kElements}, at::kFloat);
    const at::Tensor steps = at::zeros({}, at::kFloat);
    for (std::uint64_t t = 1; t <= 50; ++t) {
        auto gradients = random(t);
        adamw_step(
            {.learning_rate = 3e-3, .beta1 = 0.9, .beta2 = 0.99, .weight_decay = 0.05, .step = t},
            {ours.data(), gradients.data(), first.data(), second.data(), nullptr, kElements});
        steps.fill_(static_cast<double>(t));
        at::_fused_adamw_({tensor(theirs)}, {tensor(gradients)}, {m}, {v}, {}, {steps}, 3e-3, 0.9,
                          0.99, 0.05, 1e-8, false, false);
    }
    EXPECT_LT(gap(ours, theirs), 2e-6);
}

}  // namespace
}  // namespace esper::tolaria
