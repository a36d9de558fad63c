#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>

#include "esper/engine/kernels/alpha_blend_detail.h"

#define ESPER_AVX2 __attribute__((target("avx2,fma")))

namespace esper::execution::blend_detail {
namespace {

ESPER_AVX2 inline __m256 load_wide(const Bf16* p) {
    const __m256i x = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(x, 16));
}
ESPER_AVX2 inline __m256 load_wide(const float* p) { return _mm256_loadu_ps(p); }

ESPER_AVX2 inline __m256i rounded(__m256 x) {
    const __m256i bits = _mm256_castps_si256(x);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i r = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    r = _mm256_srli_epi32(r, 16);
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    return _mm256_blendv_epi8(r, _mm256_set1_epi32(0x7fc0), nan);
}

/// Sixteen results as two registers of eight.
template <bool kStream>
ESPER_AVX2 inline void put(float* p, __m256 low, __m256 high) {
    if constexpr (kStream) {
        _mm256_stream_ps(p, low);
        _mm256_stream_ps(p + 8, high);
    } else {
        _mm256_storeu_ps(p, low);
        _mm256_storeu_ps(p + 8, high);
    }
}
template <bool kStream>
ESPER_AVX2 inline void put(Bf16* p, __m256 low, __m256 high) {
    const __m256i mixed = _mm256_packus_epi32(rounded(low), rounded(high));
    const __m256i both = _mm256_permute4x64_epi64(mixed, 0xd8);
    if constexpr (kStream) {
        _mm256_stream_si256(reinterpret_cast<__m256i*>(p), both);
    } else {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), both);
    }
}

template <bool kStream, typename T>
ESPER_AVX2 void forward_loop(const T* y, const T* s, float alpha, T* out, std::size_t from,
                             std::size_t n) {
    const __m256 a = _mm256_set1_ps(alpha);
    std::size_t i = from;
    for (; i + 16 <= n; i += 16) {
        put<kStream>(out + i, _mm256_fmadd_ps(a, load_wide(s + i), load_wide(y + i)),
                     _mm256_fmadd_ps(a, load_wide(s + i + 8), load_wide(y + i + 8)));
    }
    if constexpr (kStream) _mm_sfence();
    forward_range(y, s, alpha, out, i, n);
}

template <typename T>
ESPER_AVX2 void forward(const T* y, const T* s, float alpha, T* out, std::size_t n) {
    if (n * sizeof(T) < kStreamBytes || out == y || out == s) {
        return forward_loop<false>(y, s, alpha, out, 0, n);
    }
    const std::size_t off = reinterpret_cast<std::uintptr_t>(out) % 32;
    const std::size_t head = off % sizeof(T) != 0 ? n : (32 - off) % 32 / sizeof(T);
    forward_range(y, s, alpha, out, 0, std::min(head, n));
    if (head < n) forward_loop<true>(y, s, alpha, out, head, n);
}

ESPER_AVX2 inline void add_products(__m256 g, __m256 s, __m256d& low, __m256d& high) {
    low = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(g)),
                          _mm256_cvtps_pd(_mm256_castps256_ps128(s)), low);
    high = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm256_extractf128_ps(g, 1)),
                           _mm256_cvtps_pd(_mm256_extractf128_ps(s, 1)), high);
}

ESPER_AVX2 inline void add_sums(__m256 sums, __m256d& low, __m256d& high) {
    low = _mm256_add_pd(low, _mm256_cvtps_pd(_mm256_castps256_ps128(sums)));
    high = _mm256_add_pd(high, _mm256_cvtps_pd(_mm256_extractf128_ps(sums, 1)));
}

/// What sixteen elements (at `i`) write; dy first: ds may be g itself.
template <bool kStream, typename T>
ESPER_AVX2 inline void put_gradients(const T* g, __m256 g0, __m256 g1, __m256 a, T* ds, T* dy,
                                     std::size_t i) {
    if (dy != nullptr) std::copy_n(g + i, 16, dy + i);
    put<kStream>(ds + i, _mm256_mul_ps(a, g0), _mm256_mul_ps(a, g1));
}

/// As many elements as fill all lanes evenly; returns how many were done.
template <bool kStream>
ESPER_AVX2 std::size_t backward_blocks(const float* g, const float* s, __m256 a, float* ds,
                                       float* dy, std::size_t n, __m256d (&lane)[4]) {
    std::size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m256 g0 = load_wide(g + i), g1 = load_wide(g + i + 8);
        add_products(g0, load_wide(s + i), lane[0], lane[1]);
        add_products(g1, load_wide(s + i + 8), lane[2], lane[3]);
        put_gradients<kStream>(g, g0, g1, a, ds, dy, i);
    }
    return i;
}

template <bool kStream>
ESPER_AVX2 std::size_t backward_blocks(const Bf16* g, const Bf16* s, __m256 a, Bf16* ds, Bf16* dy,
                                       std::size_t n, __m256d (&lane)[4]) {
    constexpr std::size_t kBlock = kLanes * kFours;
    std::size_t i = 0;
    for (; i + kBlock <= n; i += kBlock) {
        __m256 sums0 = _mm256_setzero_ps(), sums1 = _mm256_setzero_ps();
        for (std::size_t k = i; k < i + kBlock; k += kLanes) {
            const __m256 g0 = load_wide(g + k), g1 = load_wide(g + k + 8);
            const __m256 s0 = load_wide(s + k), s1 = load_wide(s + k + 8);
            sums0 = k == i ? _mm256_mul_ps(g0, s0) : _mm256_fmadd_ps(g0, s0, sums0);
            sums1 = k == i ? _mm256_mul_ps(g1, s1) : _mm256_fmadd_ps(g1, s1, sums1);
            put_gradients<kStream>(g, g0, g1, a, ds, dy, k);
        }
        add_sums(sums0, lane[0], lane[1]);
        add_sums(sums1, lane[2], lane[3]);
    }
    return i;
}

template <bool kStream, typename T>
ESPER_AVX2 double backward_loop(const T* g, const T* s, float alpha, T* ds, T* dy, std::size_t n) {
    __m256d lane[4] = {_mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(),
                       _mm256_setzero_pd()};
    const std::size_t i = backward_blocks<kStream>(g, s, _mm256_set1_ps(alpha), ds, dy, n, lane);
    if constexpr (kStream) _mm_sfence();
    Lanes lanes;
    for (std::size_t k = 0; k < 4; ++k) _mm256_storeu_pd(lanes.data() + 4 * k, lane[k]);
    backward_tail(g, s, alpha, ds, dy, i, n, lanes);
    return total(lanes);
}

template <typename T>
ESPER_AVX2 double backward(const T* g, const T* s, float alpha, T* ds, T* dy, std::size_t n) {
    const bool stream = n * sizeof(T) >= kStreamBytes && ds != g && aligned(ds, 32);
    return stream ? backward_loop<true>(g, s, alpha, ds, dy, n)
                  : backward_loop<false>(g, s, alpha, ds, dy, n);
}

}  // namespace

AlphaBlendKernels avx2_kernels() {
    return {"avx2", forward<float>, forward<Bf16>, backward<float>, backward<Bf16>};
}

}  // namespace esper::execution::blend_detail
#endif
