#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "esper/base/thread_pool.h"
#include "esper/engine/kernels/isa.h"

namespace esper::tolaria {

// All instruction sets give the same bits: every operation rounds on its own, none is fused.
using vector::best_isa;
using vector::Isa;

/// One flat block of parameters with its gradients and its optimizer state, `n` elements each.
/// Moments of a new block are zero.
struct ParameterBlock {
    float* values = nullptr;
    const float* gradients = nullptr;
    /// SGD, Lion: the momentum (SGD: unused, may be null, at 0). AdamW: the first moment.
    float* first_moment = nullptr;
    /// AdamW only.
    float* second_moment = nullptr;
    /// If not null, receives the new values as bfloat16, rounded to nearest even.
    std::uint16_t* bf16_values = nullptr;
    std::size_t n = 0;
};

/// As torch.optim.SGD, dampening 0: g ← scale·g + decay·p; b ← μ·b + g; p ← p - lr·(g + μ·b) with
/// Nesterov, p - lr·b without.
struct SgdStep {
    double learning_rate = 0.1;
    double momentum = 0.9;
    double weight_decay = 0;
    bool nesterov = true;
    /// Factor that the gradient is multiplied by first; see clip_factor.
    double gradient_scale = 1;
};

/// As torch.optim.AdamW (Loshchilov & Hutter 2019): p ← p·(1 - lr·decay); m ← m + (1-β₁)(g - m);
/// v ← β₂v + (1-β₂)g²; p ← p - lr/(1-β₁ᵗ) · m / (√v/√(1-β₂ᵗ) + ε).
struct AdamWStep {
    double learning_rate = 1e-3;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 0.01;
    /// t: the number of this block's steps, including this one (≥ 1).
    std::uint64_t step = 1;
    double gradient_scale = 1;
};

/// Lion (Chen et al. 2023, program 2): p ← p·(1 - lr·decay) - lr·sign(β₁m + (1-β₁)g);
/// m ← β₂m + (1-β₂)g.
struct LionStep {
    double learning_rate = 1e-4;
    double beta1 = 0.9;
    double beta2 = 0.99;
    double weight_decay = 0.01;
    double gradient_scale = 1;
};

/// Makes one step in one pass over the block. With a pool, a large block is split among its
/// threads; the result does not depend on their number.
void sgd_step(const SgdStep& step, const ParameterBlock& block, ThreadPool* pool = nullptr,
              Isa isa = best_isa());
void adamw_step(const AdamWStep& step, const ParameterBlock& block, ThreadPool* pool = nullptr,
                Isa isa = best_isa());
/// Writes no bfloat16.
void lion_step(const LionStep& step, const ParameterBlock& block, ThreadPool* pool = nullptr,
               Isa isa = best_isa());

/// Copies values to bfloat16, rounded to nearest even; NaN stays NaN.
void to_bf16(std::span<const float> values, std::uint16_t* out, Isa isa = best_isa());

/// Sum of squares of a block, in one pass and in double. The order of addition depends only on the
/// positions of the elements, so threads and instruction set do not change a bit. The sum is finite
/// exactly when every element is.
double sum_of_squares(std::span<const float> values, ThreadPool* pool = nullptr,
                      Isa isa = best_isa());

/// The factor that reduces a gradient of norm `norm` to a norm of at most `limit` (as
/// torch.nn.utils.clip_grad_norm_); 1 for a limit of 0.
double clip_factor(double norm, double limit);

}  // namespace esper::tolaria
