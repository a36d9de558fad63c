#pragma once
// kernels: vectorised loops of our own for what libtorch's operators do in more passes or more
// slowly. Plain memory and sizes, no libtorch. `kernels()` picks the instruction set.

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

/// BatchNorm over rows of `channels` values (channels-last), then an addition, then ReLU, the last
/// two where asked for. Sums are taken over fixed pieces of rows, so that threads change no bit.
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
    /// y = x·scale + offset (+ other), then ReLU where `relu`.
    void (*apply)(NormShape shape, const T* x, const T* other, NormLine line, bool relu, T* y,
                  std::int64_t begin, std::int64_t end);
    /// Σg and Σg·(x - mean) over rows, with g the gradient where ReLU let pass: where `y` > 0, or,
    /// without `y`, where x·scale + offset > 0; everywhere when `relu` is off. g is stored where
    /// `masked` is not null.
    void (*gradient_sums)(NormShape shape, const T* gradient, const T* y, const T* x,
                          const float* mean, NormLine line, bool relu, T* masked,
                          std::int64_t begin, std::int64_t end, float* sums, float* products);
    /// dx = g·a + x·b + c per channel.
    void (*gradient_apply)(NormShape shape, const T* gradient, const T* y, const T* x,
                           NormLine line, bool relu, const float* abc, T* dx, std::int64_t begin,
                           std::int64_t end);
};

/// c[m, n] = a[m, k] · b[k, n] (+ bias[n]), then ReLU where asked; any strides for a, unit column
/// stride for c. b is packed first: panels of `kPanel` columns, zeros behind.
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
    bool round_to_bf16 = false;  ///< of c, which stays float
    bool accumulate = false;     ///< c is added to
    std::int64_t packed_k = 0;   ///< rows b was packed with, where more than k; 0: k
};
struct GemmKernels {
    std::int64_t panel;  ///< columns of b packed together
    /// Room for a packed k × n matrix, in floats.
    std::int64_t (*packed_size)(std::int64_t k, std::int64_t n);
    void (*pack)(const float* b, std::int64_t b_row, std::int64_t b_column, std::int64_t k,
                 std::int64_t n, float* packed);
    /// Rows [begin, end) of c.
    void (*rows)(const Gemm& gemm, std::int64_t begin, std::int64_t end);
};

/// Rows [begin, end) of softmax cross-entropy: each row's loss, and the gradient of `weight` times
/// their sum. A target below zero is left out: loss 0, gradient 0.
using CrossEntropyKernel = void (*)(const float* logits, const std::int64_t* targets,
                                    std::int64_t classes, float weight, float* losses,
                                    float* gradient, std::int64_t begin, std::int64_t end);

/// One head of causal attention over `tokens` vectors of `size` elements. Strides between tokens;
/// the elements of one lie side by side.
template <typename T>
struct Head {
    std::int64_t tokens = 0;
    std::int64_t size = 0;
    float scale = 0;
    const T* q = nullptr;
    const T* k = nullptr;
    const T* v = nullptr;
    std::int64_t qkv_stride = 0;
    T* out = nullptr;  ///< read, not written, by the backward pass
    std::int64_t out_stride = 0;
    float* log_sums = nullptr;  ///< log Σ exp of each row of scores, contiguous
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
    /// Floats of scratch that one head needs, forward or backward.
    std::int64_t (*attention_scratch)(std::int64_t tokens, std::int64_t size);
    void (*widen)(const Bf16* x, float* y, std::int64_t n);
    void (*narrow)(const float* x, Bf16* y, std::int64_t n);
    void (*round)(const float* x, float* y, std::int64_t n);  ///< through bfloat16
};

using vector::best_isa;
using vector::Isa;
/// Kernels for an instruction set that this CPU has.
const Kernels& kernels(Isa isa = best_isa());

}  // namespace esper::graph::kernels
