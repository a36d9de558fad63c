#pragma once
// The loops of the blend in 512-bit vectors. The including source defines ESPER_AVX512, the
// attribute of every function, and ESPER_AVX512_BF16 if the CPU has instructions for bf16.

#include <immintrin.h>

#include <algorithm>

#include "esper/engine/kernels/alpha_blend_detail.h"

// g++ 12 warns about the "undefined" operands in its own intrinsics.
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

namespace esper::execution::blend_detail {
namespace {

ESPER_AVX512 inline __m512 load_wide(const Bf16* p) {
    const __m512i x =
        _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(x, 16));
}

ESPER_AVX512 inline __m256i round_narrow(__m512 x) {
    const __m512i bits = _mm512_castps_si512(x);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i r = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    r = _mm512_srli_epi32(r, 16);
    const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(_mm512_mask_set1_epi32(r, nan, 0x7fc0));
}

template <bool kStream>
ESPER_AVX512 inline void put(float* p, __m512 x) {
    if constexpr (kStream) {
        _mm512_stream_ps(p, x);
    } else {
        _mm512_storeu_ps(p, x);
    }
}

#ifdef ESPER_AVX512_BF16
/// The conversion instruction flushes subnormal numbers to zero and keeps a NaN's payload, unlike
/// narrow(). Vectors with such numbers, which are rare, take the slow path.
ESPER_AVX512 inline __m512i narrow_both(__m512 low, __m512 high) {
    constexpr int kNanOrDenormal = 0x01 | 0x20 | 0x80;
    const auto odd = _mm512_kor(_mm512_fpclass_ps_mask(low, kNanOrDenormal),
                                _mm512_fpclass_ps_mask(high, kNanOrDenormal));
    if (__builtin_expect(odd != 0, 0))
        return _mm512_inserti64x4(_mm512_castsi256_si512(round_narrow(low)), round_narrow(high), 1);
    return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}
#else
ESPER_AVX512 inline __m512i narrow_both(__m512 low, __m512 high) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(round_narrow(low)), round_narrow(high), 1);
}
#endif

template <bool kStream>
ESPER_AVX512 inline void put(Bf16* p, __m512 low, __m512 high) {
    const __m512i both = narrow_both(low, high);
    if constexpr (kStream) {
        _mm512_stream_si512(reinterpret_cast<__m512i*>(p), both);
    } else {
        _mm512_storeu_si512(p, both);
    }
}

/// Copies thirty-two bf16 numbers.
template <bool kStream>
ESPER_AVX512 inline void copy(const Bf16* from, Bf16* to) {
    const __m512i x = _mm512_loadu_si512(from);
    if constexpr (kStream) {
        _mm512_stream_si512(reinterpret_cast<__m512i*>(to), x);
    } else {
        _mm512_storeu_si512(to, x);
    }
}

template <bool kStream>
ESPER_AVX512 void forward_loop(const float* y, const float* s, float alpha, float* out,
                               std::size_t from, std::size_t n) {
    const __m512 a = _mm512_set1_ps(alpha);
    std::size_t i = from;
    for (; i + 32 <= n; i += 32) {
        const __m512 r0 = _mm512_fmadd_ps(a, _mm512_loadu_ps(s + i), _mm512_loadu_ps(y + i));
        const __m512 r1 =
            _mm512_fmadd_ps(a, _mm512_loadu_ps(s + i + 16), _mm512_loadu_ps(y + i + 16));
        put<kStream>(out + i, r0);
        put<kStream>(out + i + 16, r1);
    }
    if constexpr (kStream) _mm_sfence();
    forward_range(y, s, alpha, out, i, n);
}

template <bool kStream>
ESPER_AVX512 void forward_loop(const Bf16* y, const Bf16* s, float alpha, Bf16* out,
                               std::size_t from, std::size_t n) {
    const __m512 a = _mm512_set1_ps(alpha);
    std::size_t i = from;
    for (; i + 32 <= n; i += 32) {
        const __m512 r0 = _mm512_fmadd_ps(a, load_wide(s + i), load_wide(y + i));
        const __m512 r1 = _mm512_fmadd_ps(a, load_wide(s + i + 16), load_wide(y + i + 16));
        put<kStream>(out + i, r0, r1);
    }
    if constexpr (kStream) _mm_sfence();
    forward_range(y, s, alpha, out, i, n);
}

template <typename T>
ESPER_AVX512 void forward(const T* y, const T* s, float alpha, T* out, std::size_t n) {
    if (n * sizeof(T) < kStreamBytes || out == y || out == s) {
        return forward_loop<false>(y, s, alpha, out, 0, n);
    }
    const std::size_t off = reinterpret_cast<std::uintptr_t>(out) % 64;
    const std::size_t head = off % sizeof(T) != 0 ? n : (64 - off) % 64 / sizeof(T);
    forward_range(y, s, alpha, out, 0, std::min(head, n));
    if (head < n) forward_loop<true>(y, s, alpha, out, head, n);
}

/// Adds sixteen products to the sixteen lanes.
ESPER_AVX512 inline void add_products(__m512 g, __m512 s, __m512d& low, __m512d& high) {
    const __m512d g0 = _mm512_cvtps_pd(_mm512_castps512_ps256(g));
    const __m512d s0 = _mm512_cvtps_pd(_mm512_castps512_ps256(s));
    const __m512d g1 = _mm512_cvtps_pd(_mm512_castps512_ps256(_mm512_shuffle_f32x4(g, g, 0xee)));
    const __m512d s1 = _mm512_cvtps_pd(_mm512_castps512_ps256(_mm512_shuffle_f32x4(s, s, 0xee)));
    low = _mm512_fmadd_pd(g0, s0, low);
    high = _mm512_fmadd_pd(g1, s1, high);
}

/// Adds sixteen sums of fp32 to the sixteen lanes.
ESPER_AVX512 inline void add_sums(__m512 sums, __m512d& low, __m512d& high) {
    low = _mm512_add_pd(low, _mm512_cvtps_pd(_mm512_castps512_ps256(sums)));
    high = _mm512_add_pd(
        high, _mm512_cvtps_pd(_mm512_castps512_ps256(_mm512_shuffle_f32x4(sums, sums, 0xee))));
}

template <bool kStream>
ESPER_AVX512 double backward_loop(const float* g, const float* s, float alpha, float* ds, float* dy,
                                  std::size_t n) {
    const __m512 a = _mm512_set1_ps(alpha);
    __m512d low = _mm512_setzero_pd(), high = _mm512_setzero_pd();
    std::size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m512 grad = _mm512_loadu_ps(g + i);
        add_products(grad, _mm512_loadu_ps(s + i), low, high);
        put<kStream>(ds + i, _mm512_mul_ps(a, grad));
        if (dy != nullptr) put<kStream>(dy + i, grad);
    }
    if constexpr (kStream) _mm_sfence();
    Lanes lanes;
    _mm512_storeu_pd(lanes.data(), low);
    _mm512_storeu_pd(lanes.data() + 8, high);
    backward_tail(g, s, alpha, ds, dy, i, n, lanes);
    return total(lanes);
}

template <bool kStream>
ESPER_AVX512 double backward_loop(const Bf16* g, const Bf16* s, float alpha, Bf16* ds, Bf16* dy,
                                  std::size_t n) {
    const __m512 a = _mm512_set1_ps(alpha);
    __m512d low = _mm512_setzero_pd(), high = _mm512_setzero_pd();
    std::size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        const __m512 g0 = load_wide(g + i), g1 = load_wide(g + i + 16);
        const __m512 g2 = load_wide(g + i + 32), g3 = load_wide(g + i + 48);
        __m512 sums = _mm512_mul_ps(g0, load_wide(s + i));
        sums = _mm512_fmadd_ps(g1, load_wide(s + i + 16), sums);
        sums = _mm512_fmadd_ps(g2, load_wide(s + i + 32), sums);
        sums = _mm512_fmadd_ps(g3, load_wide(s + i + 48), sums);
        add_sums(sums, low, high);
        // dy first: ds may be g itself.
        if (dy != nullptr) {
            copy<kStream>(g + i, dy + i);
            copy<kStream>(g + i + 32, dy + i + 32);
        }
        put<kStream>(ds + i, _mm512_mul_ps(a, g0), _mm512_mul_ps(a, g1));
        put<kStream>(ds + i + 32, _mm512_mul_ps(a, g2), _mm512_mul_ps(a, g3));
    }
    if constexpr (kStream) _mm_sfence();
    Lanes lanes;
    _mm512_storeu_pd(lanes.data(), low);
    _mm512_storeu_pd(lanes.data() + 8, high);
    backward_tail(g, s, alpha, ds, dy, i, n, lanes);
    return total(lanes);
}

template <typename T>
ESPER_AVX512 double backward(const T* g, const T* s, float alpha, T* ds, T* dy, std::size_t n) {
    const bool stream =
        n * sizeof(T) >= kStreamBytes && ds != g && aligned(ds, 64) && aligned(dy, 64);
    return stream ? backward_loop<true>(g, s, alpha, ds, dy, n)
                  : backward_loop<false>(g, s, alpha, ds, dy, n);
}

}  // namespace

}  // namespace esper::execution::blend_detail
