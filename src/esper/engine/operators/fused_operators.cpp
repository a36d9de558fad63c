#include "esper/engine/operators/fused_operators.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <algorithm>
#include <mutex>

#include "esper/engine/kernels/kernels.h"
#include "esper/engine/kernels/parallel.h"
#include "esper/engine/operators/fused_kernels.h"

namespace esper::graph::kernels {

namespace {

constexpr std::int64_t kGrain = 1 << 14;
// The target that PyTorch leaves out by default.
constexpr std::int64_t kIgnored = -100;

template <typename T>
const T* in(const at::Tensor& t) {
    return static_cast<const T*>(t.const_data_ptr());
}
template <typename T>
T* out(at::Tensor& t) {
    return static_cast<T*>(t.mutable_data_ptr());
}

}  // namespace

at::Tensor gelu_tanh(const at::Tensor& x) {
    const auto from = x.contiguous();
    auto y = at::empty_like(from);
    parallel_for(from.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
        if (from.scalar_type() == at::kBFloat16)
            kernels().gelu_bf16.forward(in<Bf16>(from), out<Bf16>(y), begin, end);
        else
            kernels().gelu.forward(in<float>(from), out<float>(y), begin, end);
    });
    return y;
}

at::Tensor gelu_tanh_backward(const at::Tensor& gradient, const at::Tensor& x) {
    const auto g = gradient.contiguous();
    const auto from = x.contiguous();
    auto dx = at::empty_like(from);
    parallel_for(from.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
        if (from.scalar_type() == at::kBFloat16)
            kernels().gelu_bf16.backward(in<Bf16>(g), in<Bf16>(from), out<Bf16>(dx), begin, end);
        else
            kernels().gelu.backward(in<float>(g), in<float>(from), out<float>(dx), begin, end);
    });
    return dx;
}

std::tuple<at::Tensor, at::Tensor> cross_entropy(const at::Tensor& logits,
                                                 const at::Tensor& targets) {
    const auto x = logits.contiguous();
    const auto wanted = targets.contiguous();
    const auto rows = x.size(0);
    const auto* t = wanted.const_data_ptr<std::int64_t>();
    std::int64_t counted = 0;
    for (std::int64_t i = 0; i < rows; ++i) {
        TORCH_CHECK(t[i] == kIgnored || (t[i] >= 0 && t[i] < x.size(1)), "target ", t[i],
                    " is out of bounds for ", x.size(1), " classes");
        counted += t[i] >= 0 ? 1 : 0;
    }
    auto losses = at::empty({rows}, x.options());
    auto gradient = at::empty_like(x);
    const auto weight = 1.0F / static_cast<float>(counted);
    parallel_for(rows, std::max<std::int64_t>(1, kGrain / x.size(1)),
                 [&](std::int64_t begin, std::int64_t end) {
                     kernels().cross_entropy(in<float>(x), t, x.size(1), weight, out<float>(losses),
                                             out<float>(gradient), begin, end);
                 });
    double sum = 0;
    for (std::int64_t i = 0; i < rows; ++i) sum += in<float>(losses)[i];
    auto loss = at::empty({}, x.options());
    *out<float>(loss) = static_cast<float>(sum / static_cast<double>(counted));
    return {loss, gradient};
}

void register_fused_operators() {
    static std::once_flag once;
    std::call_once(once, [] {
        static torch::Library library(torch::Library::FRAGMENT, "esper", std::nullopt, __FILE__,
                                      __LINE__);
        library.def("gelu_tanh(Tensor x) -> Tensor");
        library.def("gelu_tanh_backward(Tensor gradient, Tensor x) -> Tensor");
        library.def("cross_entropy(Tensor logits, Tensor targets) -> (Tensor, Tensor)");
        library.def(
            "causal_attention(Tensor q, Tensor k, Tensor v, float scale) -> (Tensor, Tensor)");
        library.def(
            "causal_attention_backward(Tensor gradient, Tensor q, Tensor k, Tensor v, Tensor out, "
            "Tensor log_sums, float scale) -> Tensor");
        library.def(
            "batch_norm_relu(Tensor x, Tensor? other, Tensor weight, Tensor bias, Tensor(a!) "
            "running_mean, Tensor(b!) running_var, float momentum, float epsilon, bool relu) -> "
            "(Tensor, Tensor, Tensor)");
        library.def(
            "batch_norm_relu_backward(Tensor gradient, Tensor? y, Tensor x, Tensor weight, Tensor "
            "bias, Tensor mean, Tensor inverse, bool relu, bool keep) -> (Tensor, Tensor, Tensor, "
            "Tensor)");
        library.def(
            "linear_relu(Tensor x, Tensor weight, Tensor? bias, bool relu, bool half) -> Tensor");
        library.def(
            "linear_relu_backward(Tensor gradient, Tensor? y, Tensor x, Tensor weight, bool half, "
            "bool wants_input, Tensor(a!) weight_gradient, Tensor(b!)? bias_gradient) -> Tensor");
        static torch::Library cpu(torch::Library::IMPL, "esper",
                                  std::make_optional(c10::DispatchKey::CPU), __FILE__, __LINE__);
        cpu.impl("gelu_tanh", &gelu_tanh);
        cpu.impl("gelu_tanh_backward", &gelu_tanh_backward);
        cpu.impl("cross_entropy", &cross_entropy);
        cpu.impl("causal_attention", &causal_attention);
        cpu.impl("causal_attention_backward", &causal_attention_backward);
        cpu.impl("batch_norm_relu", &batch_norm_relu);
        cpu.impl("batch_norm_relu_backward", &batch_norm_relu_backward);
        cpu.impl("linear_relu", &linear_relu);
        cpu.impl("linear_relu_backward", &linear_relu_backward);
    });
}

}  // namespace esper::graph::kernels
