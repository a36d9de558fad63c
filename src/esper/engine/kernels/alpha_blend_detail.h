#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "esper/engine/kernels/alpha_blend.h"

namespace esper::execution::blend_detail {

/// Outputs of this size or more bypass the caches, so that they do not displace other data.
inline constexpr std::size_t kStreamBytes = std::size_t{8} << 20;
inline constexpr std::size_t kLanes = 16;
/// Number of bf16 products per lane that are added in fp32 before they are added to the double.
inline constexpr std::size_t kFours = 4;
using Lanes = std::array<double, kLanes>;

using vector::narrow;
using vector::widen;

inline double total(const Lanes& lanes) {
    Lanes sum = lanes;
    for (std::size_t width = kLanes / 2; width > 0; width /= 2) {
        for (std::size_t i = 0; i < width; ++i) sum[i] += sum[i + width];
    }
    return sum[0];
}

inline bool aligned(const void* p, std::size_t to) {
    return reinterpret_cast<std::uintptr_t>(p) % to == 0;
}

/// Adds the last elements of the backward pass, fewer than one iteration of the vector loop (16 of
/// fp32, 64 of bf16), to their lanes.
inline void backward_tail(const float* g, const float* s, float alpha, float* ds, float* dy,
                          std::size_t from, std::size_t n, Lanes& lanes) {
    for (std::size_t i = from; i < n; ++i) {
        const float grad = g[i];
        lanes[i % kLanes] += static_cast<double>(grad) * static_cast<double>(s[i]);
        ds[i] = alpha * grad;
        if (dy != nullptr) dy[i] = grad;
    }
}
inline void backward_tail(const Bf16* g, const Bf16* s, float alpha, Bf16* ds, Bf16* dy,
                          std::size_t from, std::size_t n, Lanes& lanes) {
    for (std::size_t i = from; i < n; ++i) {
        const Bf16 grad = g[i];
        // Exact in fp32: a product of two eight-bit significands.
        lanes[i % kLanes] += static_cast<double>(widen(grad) * widen(s[i]));
        ds[i] = narrow(alpha * widen(grad));
        if (dy != nullptr) dy[i] = grad;
    }
}

/// Adds sixty-four bf16 products, four per lane.
inline void backward_block(const Bf16* g, const Bf16* s, Lanes& lanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        float sum = widen(g[lane]) * widen(s[lane]);
        for (std::size_t k = 1; k < kFours; ++k) {
            const std::size_t i = lane + k * kLanes;
            sum = std::fma(widen(g[i]), widen(s[i]), sum);
        }
        lanes[lane] += static_cast<double>(sum);
    }
}

inline void forward_range(const float* y, const float* s, float alpha, float* out, std::size_t from,
                          std::size_t n) {
    for (std::size_t i = from; i < n; ++i) out[i] = std::fma(alpha, s[i], y[i]);
}
inline void forward_range(const Bf16* y, const Bf16* s, float alpha, Bf16* out, std::size_t from,
                          std::size_t n) {
    for (std::size_t i = from; i < n; ++i) {
        out[i] = narrow(std::fma(alpha, widen(s[i]), widen(y[i])));
    }
}

AlphaBlendKernels avx2_kernels();
AlphaBlendKernels avx512_kernels();
AlphaBlendKernels avx512_bf16_kernels();

}  // namespace esper::execution::blend_detail
