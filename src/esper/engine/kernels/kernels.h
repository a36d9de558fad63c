#pragma once
// engine/kernels: vectorised loops that replace libtorch operators which need more passes or more
// time. They take plain pointers and sizes, no tensors. `kernels()` picks the instruction set.

#include <cstdint>

#include "esper/engine/kernels/isa.h"

namespace esper::graph::kernels {

struct Bf16 {
    std::uint16_t bits;
};

/// GELU in its tanh form (Hendrycks & Gimpel 2016), over elements [begin, end).
template <typename T>
struct GeluKernels {
    void (*forward)(const T* x, T* y, std::int64_t begin, std::int64_t end);
    void (*backward)(const T* gradient, const T* x, T* dx, std::int64_t begin, std::int64_t end);
};

/// BatchNorm over rows of `channels` values (channels-last), optionally followed by an addition and
/// ReLU. Sums are taken over fixed pieces of rows, so the number of threads changes no bit.
struct NormShape {
    std::int64_t rows = 0;
    std::int64_t channels = 0;
};
/// Per channel: y = x·scale + offset.
struct NormLine {
    const float* scale;
    const float* offset;
};
template <typename T>
struct NormKernels {
    /// Σ(x - shift) and Σ(x - shift)² of each channel over rows [begin, end).
    void (*moments)(NormShape shape, const T* x, const float* shift, std::int64_t begin,
                    std::int64_t end, float* sums, float* squares);
    /// y = x·scale + offset (+ other), then ReLU if `relu`.
    void (*apply)(NormShape shape, const T* x, const T* other, NormLine line, bool relu, T* y,
                  std::int64_t begin, std::int64_t end);
    /// Σg and Σg·(x - mean) over rows. g is the gradient behind ReLU: with `relu` it is zero unless
    /// `y` > 0 (or, if `y` is null, unless x·scale + offset > 0). g is stored in `masked` unless
    /// that is null.
    void (*gradient_sums)(NormShape shape, const T* gradient, const T* y, const T* x,
                          const float* mean, NormLine line, bool relu, T* masked,
                          std::int64_t begin, std::int64_t end, float* sums, float* products);
    /// dx = g·a + x·b + c per channel.
    void (*gradient_apply)(NormShape shape, const T* gradient, const T* y, const T* x,
                           NormLine line, bool relu, const float* abc, T* dx, std::int64_t begin,
                           std::int64_t end);
};

/// c[m, n] = a[m, k] · b[k, n] (+ bias[n]), optionally followed by ReLU. a may have any strides;
/// the columns of c are contiguous. b must be packed first, into panels of `panel` columns padded
/// with zeros.
struct Gemm {
    std::int64_t m = 0;
    std::int64_t n = 0;
    std::int64_t k = 0;
    const float* a = nullptr;
    std::int64_t a_row = 0;
    std::int64_t a_column = 0;
    const float* packed_b = nullptr;
    float* c = nullptr;
    std::int64_t c_row = 0;
    const float* bias = nullptr;
    bool relu = false;
    bool round_to_bf16 = false;  ///< rounds c to bfloat16 values, stored as float
    bool accumulate = false;     ///< adds to c
    std::int64_t packed_k = 0;   ///< rows that b was packed with, if more than k; 0: k
};
struct GemmKernels {
    std::int64_t panel;  ///< columns of b packed together
    /// Size of a packed k × n matrix, in floats.
    std::int64_t (*packed_size)(std::int64_t k, std::int64_t n);
    void (*pack)(const float* b, std::int64_t b_row, std::int64_t b_column, std::int64_t k,
                 std::int64_t n, float* packed);
    /// Computes rows [begin, end) of c.
    void (*rows)(const Gemm& gemm, std::int64_t begin, std::int64_t end);
};

/// Softmax cross-entropy of rows [begin, end): each row's loss, and the gradient of `weight` times
/// the sum of the losses. A row with a target below zero has loss 0 and gradient 0.
using CrossEntropyKernel = void (*)(const float* logits, const std::int64_t* targets,
                                    std::int64_t classes, float weight, float* losses,
                                    float* gradient, std::int64_t begin, std::int64_t end);

/// One head of causal attention over `tokens` vectors of `size` elements. The strides are those
/// between tokens; the elements of a token are contiguous.
template <typename T>
struct Head {
    std::int64_t tokens = 0;
    std::int64_t size = 0;
    float scale = 0;
    const T* q = nullptr;
    const T* k = nullptr;
    const T* v = nullptr;
    std::int64_t qkv_stride = 0;
    T* out = nullptr;  ///< written by the forward pass, read by the backward pass
    std::int64_t out_stride = 0;
    float* log_sums = nullptr;  ///< log Σ exp of each row of scores; contiguous
    float* scratch = nullptr;
};
template <typename T>
struct HeadGradients {
    const T* out = nullptr;
    std::int64_t out_stride = 0;
    T* q = nullptr;
    T* k = nullptr;
    T* v = nullptr;
    std::int64_t qkv_stride = 0;
};
template <typename T>
struct AttentionKernels {
    void (*forward)(const Head<T>& head);
    void (*backward)(const Head<T>& head, const HeadGradients<T>& gradients);
};

struct Kernels {
    GeluKernels<float> gelu;
    GeluKernels<Bf16> gelu_bf16;
    NormKernels<float> norm;
    NormKernels<Bf16> norm_bf16;
    GemmKernels gemm;
    CrossEntropyKernel cross_entropy;
    AttentionKernels<float> attention;
    AttentionKernels<Bf16> attention_bf16;
    /// Size of one head's scratch memory in floats, forward or backward.
    std::int64_t (*attention_scratch)(std::int64_t tokens, std::int64_t size);
    void (*widen)(const Bf16* x, float* y, std::int64_t n);
    void (*narrow)(const float* x, Bf16* y, std::int64_t n);
    void (*round)(const float* x, float* y, std::int64_t n);  ///< rounds to bfloat16 values
};

using vector::best_isa;
using vector::Isa;
/// The kernels for an instruction set. This CPU must have that set.
const Kernels& kernels(Isa isa = best_isa());

}  // namespace esper::graph::kernels
