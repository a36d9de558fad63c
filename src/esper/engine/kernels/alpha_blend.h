#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "esper/engine/kernels/bf16.h"

namespace esper::execution {

using vector::Bf16;

/// out = y + α·s with one rounding (fused multiply-add in fp32; bf16 is widened, and rounded to
/// nearest even). All arrays have n elements; out may be y or s. Any alignment; where out is a
/// third array too large for the caches it is written past them.
void alpha_blend(const float* y, const float* s, float alpha, float* out, std::size_t n);
void alpha_blend(const Bf16* y, const Bf16* s, float alpha, Bf16* out, std::size_t n);

/// The backward pass for an output gradient g: ds = α·g, and returns dα = Σ g·s, summed in double
/// over sixteen lanes in a fixed order (the same bits on every machine). Of bf16 the products are
/// exact in fp32, and four of them are added there first: at most 2⁻²² of their magnitudes is lost,
/// where g and s themselves are known to 2⁻⁹. dy = g: pass the gradient on, or give `dy` to have it
/// copied in the same pass. ds may be g.
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

/// Those that this CPU runs, the plain one first and the best last.
const std::vector<AlphaBlendKernels>& alpha_blend_kernels();

}  // namespace esper::execution
