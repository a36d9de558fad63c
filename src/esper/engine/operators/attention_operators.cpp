#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <cstdint>
#include <memory>
#include <new>
#include <tuple>

#include "esper/engine/kernels/kernels.h"
#include "esper/engine/kernels/parallel.h"
#include "esper/engine/operators/fused_kernels.h"

namespace esper::graph::kernels {

namespace {

/// One thread's scratch memory for one head, kept for the next call.
float* head_scratch(std::int64_t floats) {
    struct Free {
        void operator()(float* p) const { ::operator delete(p, std::align_val_t{64}); }
    };
    thread_local std::unique_ptr<float, Free> memory;
    thread_local std::int64_t size = 0;
    if (floats > size) {
        memory.reset(static_cast<float*>(::operator new(
            static_cast<std::size_t>(floats) * sizeof(float), std::align_val_t{64})));
        size = floats;
    }
    return memory.get();
}

template <typename T>
const T* head_of(const at::Tensor& t, std::int64_t n, std::int64_t h) {
    return static_cast<const T*>(t.const_data_ptr()) + n * t.stride(0) + h * t.stride(1);
}
template <typename T>
T* writable_head(const at::Tensor& t, std::int64_t n, std::int64_t h) {
    return static_cast<T*>(t.mutable_data_ptr()) + n * t.stride(0) + h * t.stride(1);
}

/// An empty [N, H, T, D] in the memory order of the neighbouring layers: a token's heads adjacent.
at::Tensor heads_like(const at::Tensor& q) {
    return at::empty({q.size(0), q.size(2), q.size(1), q.size(3)}, q.options()).transpose(1, 2);
}

template <typename T>
Head<T> describe(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                 const at::Tensor& out, const at::Tensor& log_sums, std::int64_t index) {
    const auto n = index / q.size(1);
    const auto h = index % q.size(1);
    Head<T> head;
    head.tokens = q.size(2);
    head.size = q.size(3);
    head.scale = static_cast<float>(scale);
    head.q = head_of<T>(q, n, h);
    head.k = head_of<T>(k, n, h);
    head.v = head_of<T>(v, n, h);
    head.qkv_stride = q.stride(2);
    head.out = writable_head<T>(out, n, h);
    head.out_stride = out.stride(2);
    head.log_sums = log_sums.mutable_data_ptr<float>() + index * q.size(2);
    head.scratch = head_scratch(kernels().attention_scratch(head.tokens, head.size));
    return head;
}

void check_layout(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    TORCH_CHECK(q.dim() == 4 && q.sizes() == k.sizes() && q.sizes() == v.sizes() &&
                    q.strides() == k.strides() && q.strides() == v.strides() && q.stride(3) == 1,
                "causal_attention wants queries, keys and values of one layout, features last; got "
                "strides ",
                q.strides(), ", ", k.strides(), ", ", v.strides());
}

template <typename T>
void forward_as(const AttentionKernels<T>& kernel, const at::Tensor& q, const at::Tensor& k,
                const at::Tensor& v, double scale, const at::Tensor& out,
                const at::Tensor& log_sums) {
    parallel_for(q.size(0) * q.size(1), 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto i = begin; i < end; ++i)
            kernel.forward(describe<T>(q, k, v, scale, out, log_sums, i));
    });
}

template <typename T>
void backward_as(const AttentionKernels<T>& kernel, const at::Tensor& gradient, const at::Tensor& q,
                 const at::Tensor& k, const at::Tensor& v, double scale, const at::Tensor& out,
                 const at::Tensor& log_sums, const at::Tensor& result) {
    const auto parts = result.unbind(0);
    parallel_for(q.size(0) * q.size(1), 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto i = begin; i < end; ++i) {
            const auto n = i / q.size(1);
            const auto h = i % q.size(1);
            HeadGradients<T> g;
            g.out = head_of<T>(gradient, n, h);
            g.out_stride = gradient.stride(2);
            g.q = writable_head<T>(parts[0], n, h);
            g.k = writable_head<T>(parts[1], n, h);
            g.v = writable_head<T>(parts[2], n, h);
            g.qkv_stride = parts[0].stride(2);
            kernel.backward(describe<T>(q, k, v, scale, out, log_sums, i), g);
        }
    });
}

}  // namespace

std::tuple<at::Tensor, at::Tensor> causal_attention(const at::Tensor& q, const at::Tensor& k,
                                                    const at::Tensor& v, double scale) {
    check_layout(q, k, v);
    auto out = heads_like(q);
    auto log_sums = at::empty({q.size(0), q.size(1), q.size(2)}, q.options().dtype(at::kFloat));
    if (q.scalar_type() == at::kBFloat16)
        forward_as(kernels().attention_bf16, q, k, v, scale, out, log_sums);
    else
        forward_as(kernels().attention, q, k, v, scale, out, log_sums);
    return {out, log_sums};
}

at::Tensor causal_attention_backward(const at::Tensor& gradient, const at::Tensor& q,
                                     const at::Tensor& k, const at::Tensor& v,
                                     const at::Tensor& out, const at::Tensor& log_sums,
                                     double scale) {
    check_layout(q, k, v);
    const auto g = gradient.stride(3) == 1 ? gradient : gradient.contiguous();
    // In memory [N, T, 3, H, D]: the projection's backward pass reads this as rows.
    auto result = at::empty({q.size(0), q.size(2), 3, q.size(1), q.size(3)}, q.options())
                      .permute({2, 0, 3, 1, 4});
    if (q.scalar_type() == at::kBFloat16)
        backward_as(kernels().attention_bf16, g, q, k, v, scale, out, log_sums, result);
    else
        backward_as(kernels().attention, g, q, k, v, scale, out, log_sums, result);
    return result;
}

}  // namespace esper::graph::kernels
