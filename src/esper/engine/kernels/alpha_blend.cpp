#include "esper/engine/kernels/alpha_blend.h"

#include <algorithm>

#include "esper/engine/kernels/alpha_blend_detail.h"
#include "esper/engine/kernels/isa.h"

namespace esper::execution {
namespace {

using namespace blend_detail;

template <typename T>
void plain_forward(const T* y, const T* s, float alpha, T* out, std::size_t n) {
    forward_range(y, s, alpha, out, 0, n);
}

double plain_backward(const float* g, const float* s, float alpha, float* ds, float* dy,
                      std::size_t n) {
    Lanes lanes{};
    backward_tail(g, s, alpha, ds, dy, 0, n, lanes);
    return total(lanes);
}

double plain_backward(const Bf16* g, const Bf16* s, float alpha, Bf16* ds, Bf16* dy,
                      std::size_t n) {
    constexpr std::size_t kBlock = kLanes * kFours;
    Lanes lanes{};
    std::size_t i = 0;
    for (; i + kBlock <= n; i += kBlock) {
        backward_block(g + i, s + i, lanes);
        // dy first: ds may be g itself.
        if (dy != nullptr) std::copy_n(g + i, kBlock, dy + i);
        for (std::size_t k = i; k < i + kBlock; ++k) ds[k] = narrow(alpha * widen(g[k]));
    }
    backward_tail(g, s, alpha, ds, dy, i, n, lanes);
    return total(lanes);
}

const AlphaBlendKernels& best() {
    static const AlphaBlendKernels kernels = alpha_blend_kernels().back();
    return kernels;
}

}  // namespace

const std::vector<AlphaBlendKernels>& alpha_blend_kernels() {
    static const std::vector<AlphaBlendKernels> list = [] {
        std::vector<AlphaBlendKernels> found = {
            {"plain", plain_forward<float>, plain_forward<Bf16>, plain_backward, plain_backward}};
#if defined(__x86_64__)
        const auto isa = vector::best_isa();
        if (isa >= vector::Isa::kAvx2) found.push_back(avx2_kernels());
        if (isa >= vector::Isa::kAvx512) found.push_back(avx512_kernels());
        if (vector::has_bf16_products()) found.push_back(avx512_bf16_kernels());
#endif
        return found;
    }();
    return list;
}

void alpha_blend(const float* y, const float* s, float alpha, float* out, std::size_t n) {
    best().f32(y, s, alpha, out, n);
}

void alpha_blend(const Bf16* y, const Bf16* s, float alpha, Bf16* out, std::size_t n) {
    best().bf16(y, s, alpha, out, n);
}

double alpha_blend_backward(const float* g, const float* s, float alpha, float* ds, float* dy,
                            std::size_t n) {
    return best().f32_backward(g, s, alpha, ds, dy, n);
}

double alpha_blend_backward(const Bf16* g, const Bf16* s, float alpha, Bf16* ds, Bf16* dy,
                            std::size_t n) {
    return best().bf16_backward(g, s, alpha, ds, dy, n);
}

}  // namespace esper::execution
