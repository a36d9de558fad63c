#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <memory>
#include <new>

#include "esper/engine/kernels/kernels.h"
#include "esper/engine/kernels/parallel.h"
#include "esper/engine/operators/fused_kernels.h"

namespace esper::graph::kernels {

namespace {

// Below this number of multiply-adds a second thread costs more time than it saves.
constexpr std::int64_t kParallelWork = 1 << 17;

/// Memory for one call's intermediate matrices, kept for the next call of this thread.
class Scratch {
  public:
    float* take(std::int64_t floats) {
        const auto needed = used_ + (floats + 15) / 16 * 16;
        if (needed > size_) return nullptr;
        float* at = memory_.get() + used_;
        used_ = needed;
        return at;
    }
    void reset(std::int64_t floats) {
        used_ = 0;
        if (floats <= size_) return;
        memory_.reset(static_cast<float*>(::operator new(
            static_cast<std::size_t>(floats) * sizeof(float), std::align_val_t{64})));
        size_ = floats;
    }

  private:
    struct Free {
        void operator()(float* p) const { ::operator delete(p, std::align_val_t{64}); }
    };
    std::unique_ptr<float, Free> memory_;
    std::int64_t size_ = 0;
    std::int64_t used_ = 0;
};

Scratch& scratch() {
    thread_local Scratch mine;
    return mine;
}

/// The tensor's elements as contiguous floats, rounded to bfloat16 if `half`. Copied to scratch
/// memory unless they have that form already.
const float* floats_of(const at::Tensor& t, bool half, Scratch& memory) {
    const auto n = t.numel();
    if (t.scalar_type() == at::kFloat) {
        if (!half) return t.const_data_ptr<float>();
        float* copy = memory.take(n);
        kernels().round(t.const_data_ptr<float>(), copy, n);
        return copy;
    }
    float* copy = memory.take(n);
    kernels().widen(static_cast<const Bf16*>(t.const_data_ptr()), copy, n);
    return copy;
}

void multiply(Gemm g, const float* b, std::int64_t b_row, std::int64_t b_column, Scratch& memory) {
    const auto& k = kernels().gemm;
    if (b_column == 1 && b_row == g.n && g.n == k.panel) {
        g.packed_b = b;
    } else {
        float* packed = memory.take(k.packed_size(g.k, g.n));
        k.pack(b, b_row, b_column, g.k, g.n, packed);
        g.packed_b = packed;
    }
    const auto per_row = std::max<std::int64_t>(1, g.n * g.k);
    // Whole tiles of rows.
    const auto grain = std::max<std::int64_t>(6, kParallelWork / per_row / 6 * 6);
    parallel_for(g.m, grain, [&](std::int64_t begin, std::int64_t end) { k.rows(g, begin, end); });
}

}  // namespace

at::Tensor linear_relu(const at::Tensor& x, const at::Tensor& weight,
                       const std::optional<at::Tensor>& bias, bool relu, bool half) {
    const auto m = x.size(0);
    const auto k = x.size(1);
    const auto n = weight.size(0);
    const auto in = x.contiguous();
    const auto w = weight.contiguous();
    auto y = at::empty({m, n}, x.options().dtype(half ? at::kBFloat16 : at::kFloat));
    auto& memory = scratch();
    memory.reset(m * k + n * k + n + m * n + kernels().gemm.packed_size(k, n) + 96);
    Gemm g{m, n, k, floats_of(in, half, memory), k, 1};
    g.c = half ? memory.take(m * n) : y.mutable_data_ptr<float>();
    g.c_row = n;
    g.bias = bias ? floats_of(*bias, half, memory) : nullptr;
    g.relu = relu;
    multiply(g, floats_of(w, half, memory), 1, k, memory);
    if (half) kernels().narrow(g.c, static_cast<Bf16*>(y.mutable_data_ptr()), m * n);
    return y;
}

at::Tensor linear_relu_backward(const at::Tensor& gradient, const std::optional<at::Tensor>& y,
                                const at::Tensor& x, const at::Tensor& weight, bool half,
                                bool wants_input, const at::Tensor& weight_gradient,
                                const std::optional<at::Tensor>& bias_gradient) {
    const auto m = x.size(0);
    const auto k = x.size(1);
    const auto n = weight.size(0);
    const auto incoming = gradient.contiguous();
    const auto passed = y ? y->contiguous() : at::Tensor();
    const auto in = x.contiguous();
    const auto w = weight.contiguous();
    const auto& all = kernels();
    auto& memory = scratch();
    memory.reset(3 * m * n + 2 * m * k + 2 * n * k + all.gemm.packed_size(m, k) +
                 all.gemm.packed_size(n, k) + 160);
    const float* g = floats_of(incoming, half, memory);
    if (passed.defined()) {
        const float* out = floats_of(passed, false, memory);
        float* masked = memory.take(m * n);
        for (std::int64_t i = 0; i < m * n; ++i) masked[i] = out[i] > 0 ? g[i] : 0;
        g = masked;
    }
    if (bias_gradient) {
        auto* db = bias_gradient->mutable_data_ptr<float>();
        std::fill(db, db + n, 0.0F);
        for (std::int64_t row = 0; row < m; ++row)
            for (std::int64_t i = 0; i < n; ++i) db[i] += g[row * n + i];
    }
    // dw [n, k] = gᵀ · x
    Gemm product{n, k, m, g, 1, n};
    product.c = weight_gradient.mutable_data_ptr<float>();
    product.c_row = k;
    multiply(product, floats_of(in, half, memory), k, 1, memory);
    if (!wants_input) return at::empty({0}, gradient.options());
    // dx [m, k] = g · w
    auto dx = at::empty({m, k}, gradient.options());
    const bool narrow = dx.scalar_type() == at::kBFloat16;
    Gemm input{m, k, n, g, n, 1};
    input.c = narrow ? memory.take(m * k) : dx.mutable_data_ptr<float>();
    input.c_row = k;
    multiply(input, floats_of(w, half, memory), k, 1, memory);
    if (narrow) all.narrow(input.c, static_cast<Bf16*>(dx.mutable_data_ptr()), m * k);
    return dx;
}

}  // namespace esper::graph::kernels
