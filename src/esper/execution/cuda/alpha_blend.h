#pragma once

#include <cstddef>

#include "esper/engine/kernels/alpha_blend.h"
#include "esper/execution/cuda/device.h"

namespace esper::execution::cuda {

/// The loops of engine/kernels/alpha_blend.h on the GPU; all pointers are device pointers to n
/// elements. `out`, `ds` and `dy` equal the CPU's results to the bit. dα is summed in double in a
/// fixed order of the GPU: the same bits each time, but not the CPU's.
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
