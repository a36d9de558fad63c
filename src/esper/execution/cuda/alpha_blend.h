#pragma once

#include <cstddef>

#include "esper/engine/kernels/bf16.h"
#include "esper/execution/cuda/device.h"

namespace esper::execution::cuda {

using vector::Bf16;

/// out = y + α·s with one rounding: a fused multiply-add in fp32; bf16 is widened to fp32 and
/// rounded to nearest even. All pointers are device pointers to n elements.
Status alpha_blend(const float* y, const float* s, float alpha, float* out, std::size_t n,
                   Stream stream = nullptr);
Status alpha_blend(const Bf16* y, const Bf16* s, float alpha, Bf16* out, std::size_t n,
                   Stream stream = nullptr);

/// Doubles of scratch memory that a backward pass needs.
inline constexpr std::size_t kBackwardScratch = 1024;

/// For an output gradient g: ds = α·g, dα = Σ g·s, summed in double in a fixed order; `dy`, where
/// it is not null, receives a copy of g. `dalpha` points to one double, `scratch` to
/// kBackwardScratch of them.
Status alpha_blend_backward(const float* g, const float* s, float alpha, float* ds, float* dy,
                            std::size_t n, double* dalpha, double* scratch,
                            Stream stream = nullptr);
Status alpha_blend_backward(const Bf16* g, const Bf16* s, float alpha, Bf16* ds, Bf16* dy,
                            std::size_t n, double* dalpha, double* scratch,
                            Stream stream = nullptr);

}  // namespace esper::execution::cuda
