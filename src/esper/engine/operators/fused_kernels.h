#pragma once
// The kernels of engine/kernels as functions of tensors. fused_operators.cpp registers them as
// `esper::…` operators; rewrites replace libtorch's operators by them.

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
    at::Tensor masked;  ///< the gradient behind ReLU; undefined if it was not requested
    at::Tensor weight;
    at::Tensor bias;
};

/// relu(batch_norm(x) + other) in training mode, x [N, C, H, W] float32 or bfloat16, channels
/// float32; updates the running statistics. Returns y, the batch's mean and 1/√(variance + ε).
std::tuple<at::Tensor, at::Tensor, at::Tensor> batch_norm_relu(
    const at::Tensor& x, const std::optional<at::Tensor>& other, const at::Tensor& weight,
    const at::Tensor& bias, const at::Tensor& running_mean, const at::Tensor& running_var,
    double momentum, double epsilon, bool relu);

/// The gradients of batch_norm_relu: of x, of ReLU's input (empty unless `keep`), of weight and of
/// bias. ReLU passed a gradient where `y` > 0; without `y` this is computed from x.
std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> batch_norm_relu_backward(
    const at::Tensor& gradient, const std::optional<at::Tensor>& y, const at::Tensor& x,
    const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& mean,
    const at::Tensor& inverse, bool relu, bool keep);

/// relu(x·wᵀ + b), x [M, K], w [N, K], b [N]. With `half`, operands of any type are rounded to
/// bfloat16 and the result is bfloat16, as under autocast.
at::Tensor linear_relu(const at::Tensor& x, const at::Tensor& weight,
                       const std::optional<at::Tensor>& bias, bool relu, bool half);
/// Writes the gradients of weight and bias into the given tensors and returns that of x (empty
/// unless `wants_input`). Give `y` if the forward pass had a ReLU.
at::Tensor linear_relu_backward(const at::Tensor& gradient, const std::optional<at::Tensor>& y,
                                const at::Tensor& x, const at::Tensor& weight, bool half,
                                bool wants_input, const at::Tensor& weight_gradient,
                                const std::optional<at::Tensor>& bias_gradient);

/// Mean cross-entropy of logits [M, C] and its gradient. Rows with a target below zero are ignored.
std::tuple<at::Tensor, at::Tensor> cross_entropy(const at::Tensor& logits,
                                                 const at::Tensor& targets);

/// Causal attention of q, k, v [N, H, T, D], all with the same strides. Returns the output (the
/// heads of a token are adjacent in memory) and log Σ exp of each row of scores.
std::tuple<at::Tensor, at::Tensor> causal_attention(const at::Tensor& q, const at::Tensor& k,
                                                    const at::Tensor& v, double scale);
/// The gradients of q, k and v as one tensor [3, N, H, T, D]; in memory [N, T, 3, H, D].
at::Tensor causal_attention_backward(const at::Tensor& gradient, const at::Tensor& q,
                                     const at::Tensor& k, const at::Tensor& v,
                                     const at::Tensor& out, const at::Tensor& log_sums,
                                     double scale);

at::Tensor gelu_tanh(const at::Tensor& x);
at::Tensor gelu_tanh_backward(const at::Tensor& gradient, const at::Tensor& x);

}  // namespace esper::graph::kernels
