#include "esper/engine/kernels/telemetry_statistics.h"

#include <algorithm>

#include "esper/engine/kernels/isa.h"

#if defined(__x86_64__)
#include <immintrin.h>

// g++ 12 warns about the "undefined" operands in its own intrinsics.
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#define ESPER_AVX512 __attribute__((target("avx512f,avx512bw,fma")))
#endif

namespace esper::execution {
namespace {

void plain(const float* x, std::size_t rows, std::size_t features, std::size_t stride,
           float* feature_max, ActivationSums& sums) {
    for (std::size_t row = 0; row < rows; ++row) {
        const float* line = x + row * stride;
        for (std::size_t f = 0; f < features; ++f) {
            const double v = line[f];
            sums.sum += v;
            sums.squares += v * v;
            sums.max = std::max(sums.max, line[f]);
            sums.zeros += line[f] == 0.0F;
            if (feature_max != nullptr) feature_max[f] = std::max(feature_max[f], line[f]);
        }
    }
    sums.n += rows * features;
}

#if defined(__x86_64__)
// Number of vectors that are summed in float before the sum is added to the double totals.
constexpr std::size_t kFloatRun = 256;

// A block of rows at a time: its lines stay in the first-level cache while the features are walked
// sixteen by sixteen, so that each feature's largest value stays in a register.
ESPER_AVX512 void avx512(const float* x, std::size_t rows, std::size_t features, std::size_t stride,
                         float* feature_max, ActivationSums& sums) {
    const std::size_t blocks = (features + 15) / 16;
    const std::size_t at_once =
        std::max<std::size_t>(1, kFloatRun / std::max<std::size_t>(1, blocks));
    const __m512 lowest = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
    __m512 largest = lowest;
    for (std::size_t begin = 0; begin < rows; begin += at_once) {
        const std::size_t end = std::min(rows, begin + at_once);
        __m512 sum = _mm512_setzero_ps();
        __m512 squares = _mm512_setzero_ps();
        for (std::size_t f = 0; f < features; f += 16) {
            const std::size_t left = std::min<std::size_t>(16, features - f);
            const auto mask = static_cast<__mmask16>((1U << left) - 1U);
            __m512 top = lowest;
            for (std::size_t row = begin; row < end; ++row) {
                const __m512 v = _mm512_maskz_loadu_ps(mask, x + row * stride + f);
                sum = _mm512_add_ps(sum, v);
                squares = _mm512_fmadd_ps(v, v, squares);
                top = _mm512_mask_max_ps(top, mask, top, v);
                const auto zero = _mm512_mask_cmp_ps_mask(mask, v, _mm512_setzero_ps(), _CMP_EQ_OQ);
                sums.zeros += static_cast<std::uint64_t>(__builtin_popcount(zero));
            }
            largest = _mm512_max_ps(largest, top);
            if (feature_max != nullptr) {
                const __m512 old = _mm512_mask_loadu_ps(lowest, mask, feature_max + f);
                _mm512_mask_storeu_ps(feature_max + f, mask, _mm512_max_ps(old, top));
            }
        }
        sums.sum += static_cast<double>(_mm512_reduce_add_ps(sum));
        sums.squares += static_cast<double>(_mm512_reduce_add_ps(squares));
    }
    sums.max = std::max(sums.max, _mm512_reduce_max_ps(largest));
    sums.n += rows * features;
}
#endif

}  // namespace

double ActivationSums::variance() const {
    if (n == 0) return 0;
    const double m = mean();
    return std::max(0.0, squares / static_cast<double>(n) - m * m);
}

const std::vector<StatisticsKernel>& statistics_kernels() {
    static const std::vector<StatisticsKernel> list = [] {
        std::vector<StatisticsKernel> found{{"plain", plain}};
#if defined(__x86_64__)
        if (vector::best_isa() == vector::Isa::kAvx512) found.push_back({"avx512", avx512});
#endif
        return found;
    }();
    return list;
}

void add_statistics(const float* x, std::size_t rows, std::size_t features, std::size_t stride,
                    float* feature_max, ActivationSums& sums) {
    static const auto best = statistics_kernels().back().run;
    best(x, rows, features, stride, feature_max, sums);
}

}  // namespace esper::execution
