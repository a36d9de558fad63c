#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <tuple>
#include <vector>

#include "esper/engine/kernels/kernels.h"
#include "esper/engine/kernels/parallel.h"
#include "esper/engine/operators/fused_kernels.h"

namespace esper::graph::kernels {

namespace {

// Elements over which one partial sum runs. Fixed, so that the number of threads changes no bit.
constexpr std::int64_t kPiece = 1 << 15;

NormShape shape_of(const at::Tensor& x) { return {x.numel() / x.size(1), x.size(1)}; }

std::int64_t rows_per_piece(NormShape shape) {
    return std::max<std::int64_t>(1, kPiece / shape.channels);
}

// Rows are a pixel's channels: channels-last images, or plain vectors.
at::Tensor as_rows(const at::Tensor& t) {
    return t.dim() == 4 ? t.contiguous(at::MemoryFormat::ChannelsLast) : t.contiguous();
}

/// Sums two numbers per channel over all rows: `piece(begin, end, first, second)` adds up rows.
template <typename Piece>
void sum_pairs(NormShape shape, const Piece& piece, std::vector<double>& first,
               std::vector<double>& second) {
    const auto rows = rows_per_piece(shape);
    const auto pieces = (shape.rows + rows - 1) / rows;
    const auto c = static_cast<std::size_t>(shape.channels);
    std::vector<float> partial(2 * c * static_cast<std::size_t>(pieces), 0.0F);
    parallel_for(pieces, 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto p = begin; p < end; ++p) {
            float* at = partial.data() + 2 * static_cast<std::size_t>(p) * c;
            piece(p * rows, std::min(shape.rows, (p + 1) * rows), at, at + c);
        }
    });
    first.assign(c, 0);
    second.assign(c, 0);
    for (std::size_t p = 0; p < static_cast<std::size_t>(pieces); ++p)
        for (std::size_t i = 0; i < c; ++i) {
            first[i] += partial[2 * p * c + i];
            second[i] += partial[(2 * p + 1) * c + i];
        }
}

/// y = x·scale + offset of each channel; the same floats forward and backward, so that both see
/// the same sign before ReLU.
struct Line {
    std::vector<float> scale, offset;
    Line(const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& mean,
         const at::Tensor& inverse)
        : scale(static_cast<std::size_t>(weight.numel())), offset(scale.size()) {
        const auto* w = weight.const_data_ptr<float>();
        const auto* b = bias.const_data_ptr<float>();
        const auto* m = mean.const_data_ptr<float>();
        const auto* s = inverse.const_data_ptr<float>();
        for (std::size_t i = 0; i < scale.size(); ++i) {
            scale[i] = w[i] * s[i];
            offset[i] = b[i] - m[i] * scale[i];
        }
    }
    NormLine view() const { return {scale.data(), offset.data()}; }
};

template <typename T>
const T* data_of(const at::Tensor& t) {
    return t.defined() ? static_cast<const T*>(t.const_data_ptr()) : nullptr;
}

template <typename T>
void forward_as(const NormKernels<T>& k, const at::Tensor& x, const at::Tensor& other,
                const NormOptions& o, at::Tensor& y, at::Tensor& mean, at::Tensor& inverse) {
    const auto shape = shape_of(x);
    const auto* in = data_of<T>(x);
    const auto c = static_cast<std::size_t>(shape.channels);
    // Shifting by the running mean keeps the squares precise once that mean is near the batch's,
    // and needs no pass over the data.
    const auto* shift = o.running_mean.template const_data_ptr<float>();
    std::vector<double> sums;
    std::vector<double> squares;
    sum_pairs(
        shape,
        [&](std::int64_t begin, std::int64_t end, float* s, float* q) {
            k.moments(shape, in, shift, begin, end, s, q);
        },
        sums, squares);
    const auto n = static_cast<double>(shape.rows);
    auto* m = mean.mutable_data_ptr<float>();
    auto* inv = inverse.mutable_data_ptr<float>();
    auto* running_mean = o.running_mean.template mutable_data_ptr<float>();
    auto* running_var = o.running_var.template mutable_data_ptr<float>();
    for (std::size_t i = 0; i < c; ++i) {
        const double d = sums[i] / n;
        const double variance = std::max(0.0, squares[i] / n - d * d);
        m[i] = static_cast<float>(running_mean[i] + d);
        inv[i] = static_cast<float>(1.0 / std::sqrt(variance + o.epsilon));
        const double unbiased = n > 1 ? variance * n / (n - 1) : variance;
        running_mean[i] += static_cast<float>(o.momentum * d);
        running_var[i] +=
            static_cast<float>(o.momentum * (unbiased - static_cast<double>(running_var[i])));
    }
    const Line line(o.weight, o.bias, mean, inverse);
    auto* out = static_cast<T*>(y.mutable_data_ptr());
    const auto* plus = data_of<T>(other);
    parallel_for(shape.rows, rows_per_piece(shape), [&](std::int64_t begin, std::int64_t end) {
        k.apply(shape, in, plus, line.view(), o.relu, out, begin, end);
    });
}

template <typename T>
void backward_as(const NormKernels<T>& k, const at::Tensor& gradient, const at::Tensor& y,
                 const at::Tensor& x, const NormOptions& o, const at::Tensor& mean,
                 const at::Tensor& inverse, NormGradients& out) {
    const auto shape = shape_of(x);
    const auto c = static_cast<std::size_t>(shape.channels);
    const Line line(o.weight, o.bias, mean, inverse);
    const auto* g = data_of<T>(gradient);
    const auto* passed = data_of<T>(y);
    const auto* in = data_of<T>(x);
    const auto* m = mean.const_data_ptr<float>();
    const auto* inv = inverse.const_data_ptr<float>();
    const auto* w = o.weight.template const_data_ptr<float>();
    T* masked = out.masked.defined() ? static_cast<T*>(out.masked.mutable_data_ptr()) : nullptr;
    std::vector<double> sums;
    std::vector<double> products;
    sum_pairs(
        shape,
        [&](std::int64_t begin, std::int64_t end, float* s, float* p) {
            k.gradient_sums(shape, g, passed, in, m, line.view(), o.relu, masked, begin, end, s, p);
        },
        sums, products);
    // dx = w·inv·(g - Σg/n - (x - mean)·inv²·Σg(x - mean)/n), sorted by g, x and the rest.
    const auto n = static_cast<double>(shape.rows);
    std::vector<float> abc(3 * c);
    auto* dw = out.weight.mutable_data_ptr<float>();
    auto* db = out.bias.mutable_data_ptr<float>();
    for (std::size_t i = 0; i < c; ++i) {
        const double scale = static_cast<double>(w[i]) * inv[i];
        const double slope = -scale * inv[i] * inv[i] * products[i] / n;
        abc[i] = static_cast<float>(scale);
        abc[c + i] = static_cast<float>(slope);
        abc[2 * c + i] = static_cast<float>(-scale * sums[i] / n - slope * m[i]);
        dw[i] = static_cast<float>(products[i] * inv[i]);
        db[i] = static_cast<float>(sums[i]);
    }
    auto* dx = static_cast<T*>(out.input.mutable_data_ptr());
    parallel_for(shape.rows, rows_per_piece(shape), [&](std::int64_t begin, std::int64_t end) {
        k.gradient_apply(shape, g, passed, in, line.view(), o.relu, abc.data(), dx, begin, end);
    });
}

at::Tensor per_channel_like(const at::Tensor& x) {
    return at::empty({x.size(1)}, x.options().dtype(at::kFloat));
}

}  // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> batch_norm_relu(
    const at::Tensor& x, const std::optional<at::Tensor>& other, const at::Tensor& weight,
    const at::Tensor& bias, const at::Tensor& running_mean, const at::Tensor& running_var,
    double momentum, double epsilon, bool relu) {
    const auto rows = as_rows(x);
    const auto plus = other ? as_rows(*other) : at::Tensor();
    auto y = at::empty_like(rows);
    auto mean = per_channel_like(x);
    auto inverse = per_channel_like(x);
    const NormOptions options{weight, bias, running_mean, running_var, momentum, epsilon, relu};
    if (x.scalar_type() == at::kBFloat16)
        forward_as(kernels().norm_bf16, rows, plus, options, y, mean, inverse);
    else
        forward_as(kernels().norm, rows, plus, options, y, mean, inverse);
    return {y, mean, inverse};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> batch_norm_relu_backward(
    const at::Tensor& gradient, const std::optional<at::Tensor>& y, const at::Tensor& x,
    const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& mean,
    const at::Tensor& inverse, bool relu, bool keep) {
    const auto g = as_rows(gradient);
    const auto passed = y ? as_rows(*y) : at::Tensor();
    const auto rows = as_rows(x);
    NormGradients out{at::empty_like(rows), keep ? at::empty_like(rows) : at::Tensor(),
                      per_channel_like(x), per_channel_like(x)};
    const NormOptions options{weight, bias, {}, {}, 0, 0, relu};
    if (x.scalar_type() == at::kBFloat16)
        backward_as(kernels().norm_bf16, g, passed, rows, options, mean, inverse, out);
    else
        backward_as(kernels().norm, g, passed, rows, options, mean, inverse, out);
    return {out.input, keep ? out.masked : at::empty({0}, x.options()), out.weight, out.bias};
}

}  // namespace esper::graph::kernels
