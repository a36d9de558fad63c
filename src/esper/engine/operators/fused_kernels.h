#pragma once
// The kernels as functions of tensors, registered as `esper::…` operators for rewrites to put in
// place of libtorch's (fused_operators.cpp).

#include <ATen/core/Tensor.h>

#include <optional>
#include <tuple>

namespace esper::graph::kernels {

struct NormOptions {
    at::Tensor weight, bias, running_mean, running_var;
    double momentum = 0;
    double epsilon = 0;
    bool relu = false;
};
struct NormGradients {
    at::Tensor input;
    at::Tensor masked;  ///< the gradient where ReLU let pass; undefined: not wanted
    at::Tensor weight;
    at::Tensor bias;
};

/// relu(batch_norm(x) + other) in training mode, x [N, C, H, W] float32 or bfloat16, channels
/// float32; updates the running statistics. Returns y, the batch's mean and 1/√(variance + ε).
std::tuple<at::Tensor, at::Tensor, at::Tensor> batch_norm_relu(
    const at::Tensor& x, const std::optional<at::Tensor>& other, const at::Tensor& weight,
    const at::Tensor& bias, const at::Tensor& running_mean, const at::Tensor& running_var,
    double momentum, double epsilon, bool relu);

/// Its gradients: of x, of what came out of ReLU's backward (empty unless `keep`), of weight and
/// bias. Where ReLU let pass is read off `y`, or worked out from x where `y` is absent.
std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> batch_norm_relu_backward(
    const at::Tensor& gradient, const std::optional<at::Tensor>& y, const at::Tensor& x,
    const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& mean,
    const at::Tensor& inverse, bool relu, bool keep);

/// relu(x·wᵀ + b), x [M, K], w [N, K], b [N]. With `half`, every operand and the result is rounded
/// to bfloat16 first, whatever its type, and the result is bfloat16: what autocast computes.
at::Tensor linear_relu(const at::Tensor& x, const at::Tensor& weight,
                       const std::optional<at::Tensor>& bias, bool relu, bool half);
/// Writes the gradients of weight and bias where told, returns that of x (empty unless
/// `wants_input`). `y` where ReLU is to be undone first.
at::Tensor linear_relu_backward(const at::Tensor& gradient, const std::optional<at::Tensor>& y,
                                const at::Tensor& x, const at::Tensor& weight, bool half,
                                bool wants_input, const at::Tensor& weight_gradient,
                                const std::optional<at::Tensor>& bias_gradient);

/// Mean cross-entropy of logits [M, C] and its gradient; targets below zero are left out.
std::tuple<at::Tensor, at::Tensor> cross_entropy(const at::Tensor& logits,
                                                 const at::Tensor& targets);

/// Causal attention of heads [N, H, T, D] of one layout; returns the output (a token's heads side
/// by side in memory) and log Σ exp of each row of scores.
std::tuple<at::Tensor, at::Tensor> causal_attention(const at::Tensor& q, const at::Tensor& k,
                                                    const at::Tensor& v, double scale);
/// Its gradients, stacked: [3, N, H, T, D], in memory [N, T, 3, H, D].
at::Tensor causal_attention_backward(const at::Tensor& gradient, const at::Tensor& q,
                                     const at::Tensor& k, const at::Tensor& v,
                                     const at::Tensor& out, const at::Tensor& log_sums,
                                     double scale);

at::Tensor gelu_tanh(const at::Tensor& x);
at::Tensor gelu_tanh_backward(const at::Tensor& gradient, const at::Tensor& x);

}  // namespace esper::graph::kernels
