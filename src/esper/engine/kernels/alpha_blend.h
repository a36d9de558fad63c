#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "esper/engine/kernels/bf16.h"

namespace esper::execution {

using vector::Bf16;

/// out = y + α·s with one rounding: a fused multiply-add in fp32; bf16 is widened to fp32 and
/// rounded to nearest even. All arrays have n elements and any alignment; out may be y or s. If out
/// is a third array larger than the caches, non-temporal stores bypass them.
void alpha_blend(const float* y, const float* s, float alpha, float* out, std::size_t n);
void alpha_blend(const Bf16* y, const Bf16* s, float alpha, Bf16* out, std::size_t n);

/// The backward pass for an output gradient g: writes ds = α·g and returns dα = Σ g·s, summed in
/// double over sixteen lanes in a fixed order (the same bits on every machine). Products of bf16
/// are exact in fp32; four of them are first added in fp32, which loses at most 2⁻²² of their
/// magnitudes, while g and s are precise to 2⁻⁹. The gradient of y is g itself; a `dy` that is not
/// null receives a copy. ds may be g.
double alpha_blend_backward(const float* g, const float* s, float alpha, float* ds, float* dy,
                            std::size_t n);
double alpha_blend_backward(const Bf16* g, const Bf16* s, float alpha, Bf16* ds, Bf16* dy,
                            std::size_t n);

/// One implementation of the four loops; `alpha_blend` uses the best that this CPU runs.
struct AlphaBlendKernels {
    std::string_view name;
    void (*f32)(const float*, const float*, float, float*, std::size_t);
    void (*bf16)(const Bf16*, const Bf16*, float, Bf16*, std::size_t);
    double (*f32_backward)(const float*, const float*, float, float*, float*, std::size_t);
    double (*bf16_backward)(const Bf16*, const Bf16*, float, Bf16*, Bf16*, std::size_t);
};

/// The implementations that this CPU can run, the plain one first, the best last.
const std::vector<AlphaBlendKernels>& alpha_blend_kernels();

}  // namespace esper::execution
