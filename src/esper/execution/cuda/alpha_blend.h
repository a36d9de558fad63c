#pragma once

#include <cstddef>

#include "esper/engine/kernels/alpha_blend.h"
#include "esper/execution/cuda/device.h"

namespace esper::execution::cuda {

/// alpha_blend.h's loops on memory of the GPU; all pointers are device pointers with n elements.
/// The forward pass gives the CPU's bits. In the backward pass ds and dy do, too; dα is summed in
/// double over the GPU's own fixed order (the same bits each time, not the CPU's).
Status alpha_blend(const float* y, const float* s, float alpha, float* out, std::size_t n,
                   Stream stream = nullptr);
Status alpha_blend(const Bf16* y, const Bf16* s, float alpha, Bf16* out, std::size_t n,
                   Stream stream = nullptr);

/// Doubles of scratch memory that a backward pass needs.
inline constexpr std::size_t kBackwardScratch = 1024;

/// `dalpha` points to one double, `scratch` to kBackwardScratch of them; `dy` may be null.
Status alpha_blend_backward(const float* g, const float* s, float alpha, float* ds, float* dy,
                            std::size_t n, double* dalpha, double* scratch,
                            Stream stream = nullptr);
Status alpha_blend_backward(const Bf16* g, const Bf16* s, float alpha, Bf16* ds, Bf16* dy,
                            std::size_t n, double* dalpha, double* scratch,
                            Stream stream = nullptr);

}  // namespace esper::execution::cuda
