#include "esper/engine/kernels/optimizer_kernels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "esper/engine/kernels/bf16.h"
#include "esper/engine/kernels/parallel_chunks.h"

// Built with -ffp-contract=off and -fno-math-errno (src/esper/CMakeLists.txt): the first keeps the
// instruction sets bit-equal, the second lets the square root be vectorised.

#if defined(__x86_64__)
#define ESPER_KERNEL_ISAS(X)         \
    X(baseline, )                    \
    X(avx2, [[gnu::target("avx2")]]) \
    X(avx512, [[gnu::target("avx512f,avx512vl,avx512dq,avx512bw")]])
#else
#define ESPER_KERNEL_ISAS(X) X(baseline, )
#endif

namespace esper::tolaria {
namespace {

// Number of elements that a thread processes at a time; also the length of a partial sum.
constexpr std::size_t kChunk = std::size_t{1} << 16;

struct SgdNumbers {
    float rate, momentum, decay, scale;
};
struct AdamWNumbers {
    float keep;  ///< 1 - lr·decay
    float one_minus_beta1, beta2, one_minus_beta2;
    float rate;             ///< lr / (1-β₁ᵗ)
    float root_correction;  ///< √(1-β₂ᵗ)
    float epsilon, scale;
};

struct LionNumbers {
    float keep;  ///< 1 - lr·decay
    float beta1, one_minus_beta1, beta2, one_minus_beta2;
    float rate, scale;
};

// The three forms of momentum and the copy are template parameters, so that the loops hold no
// branch.
template <bool kMomentum, bool kNesterov, bool kCopy>
[[gnu::always_inline]] inline void sgd_loop(const SgdNumbers& k, const ParameterBlock& b) {
    float* __restrict p = b.values;
    const float* __restrict gradients = b.gradients;
    float* __restrict m = b.first_moment;
    std::uint16_t* __restrict copy = b.bf16_values;
    const auto [rate, momentum, decay, scale] = k;
    for (std::size_t i = 0; i < b.n; ++i) {
        float g = gradients[i] * scale + decay * p[i];
        if constexpr (kMomentum) {
            const float buffer = momentum * m[i] + g;
            m[i] = buffer;
            g = kNesterov ? g + momentum * buffer : buffer;
        }
        const float value = p[i] - rate * g;
        p[i] = value;
        if constexpr (kCopy) copy[i] = vector::narrow(value);
    }
}

template <bool kCopy>
[[gnu::always_inline]] inline void adamw_loop(const AdamWNumbers& numbers,
                                              const ParameterBlock& b) {
    const AdamWNumbers k = numbers;
    float* __restrict p = b.values;
    const float* __restrict gradients = b.gradients;
    float* __restrict m = b.first_moment;
    float* __restrict v = b.second_moment;
    std::uint16_t* __restrict copy = b.bf16_values;
    for (std::size_t i = 0; i < b.n; ++i) {
        const float g = gradients[i] * k.scale;
        const float first = m[i] + k.one_minus_beta1 * (g - m[i]);
        const float second = k.beta2 * v[i] + k.one_minus_beta2 * (g * g);
        m[i] = first;
        v[i] = second;
        const float denominator = std::sqrt(second) / k.root_correction + k.epsilon;
        const float value = p[i] * k.keep - k.rate * (first / denominator);
        p[i] = value;
        if constexpr (kCopy) copy[i] = vector::narrow(value);
    }
}

[[gnu::always_inline]] inline void lion_any(const LionNumbers& numbers, const ParameterBlock& b) {
    const LionNumbers k = numbers;
    float* __restrict p = b.values;
    const float* __restrict gradients = b.gradients;
    float* __restrict m = b.first_moment;
    for (std::size_t i = 0; i < b.n; ++i) {
        const float g = gradients[i] * k.scale;
        const float direction = k.beta1 * m[i] + k.one_minus_beta1 * g;
        const float sign = direction > 0.0F ? 1.0F : direction < 0.0F ? -1.0F : 0.0F;
        m[i] = k.beta2 * m[i] + k.one_minus_beta2 * g;
        p[i] = p[i] * k.keep - k.rate * sign;
    }
}

[[gnu::always_inline]] inline void sgd_any(const SgdNumbers& k, bool nesterov,
                                           const ParameterBlock& b) {
    const bool copy = b.bf16_values != nullptr;
    if (k.momentum == 0.0F) {
        copy ? sgd_loop<false, false, true>(k, b) : sgd_loop<false, false, false>(k, b);
    } else if (nesterov) {
        copy ? sgd_loop<true, true, true>(k, b) : sgd_loop<true, true, false>(k, b);
    } else {
        copy ? sgd_loop<true, false, true>(k, b) : sgd_loop<true, false, false>(k, b);
    }
}

[[gnu::always_inline]] inline void adamw_any(const AdamWNumbers& k, const ParameterBlock& b) {
    b.bf16_values != nullptr ? adamw_loop<true>(k, b) : adamw_loop<false>(k, b);
}

[[gnu::always_inline]] inline void bf16_any(const float* values, std::uint16_t* out,
                                            std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) out[i] = vector::narrow(values[i]);
}

// Sixteen partial sums, element i in sum i mod 16. This is the number of doubles in two of the
// widest registers, so every width adds the same numbers in the same order.
[[gnu::always_inline]] inline double squares_any(const float* values, std::size_t n) {
    constexpr std::size_t kLanes = 16;
    std::array<double, kLanes> sums{};
    std::size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            const double value = values[i + lane];
            sums[lane] += value * value;
        }
    }
    for (std::size_t lane = 0; i < n; ++i, ++lane) {
        const double value = values[i];
        sums[lane] += value * value;
    }
    for (std::size_t width = kLanes / 2; width > 0; width /= 2) {
        for (std::size_t lane = 0; lane < width; ++lane) sums[lane] += sums[lane + width];
    }
    return sums[0];
}

struct Kernels {
    void (*sgd)(const SgdNumbers&, bool, const ParameterBlock&);
    void (*adamw)(const AdamWNumbers&, const ParameterBlock&);
    void (*lion)(const LionNumbers&, const ParameterBlock&);
    void (*bf16)(const float*, std::uint16_t*, std::size_t);
    double (*squares)(const float*, std::size_t);
};

// An attribute cannot stand in parentheses.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define ESPER_DEFINE_KERNELS(isa, attribute)                                                     \
    attribute void sgd_##isa(const SgdNumbers& k, bool nesterov, const ParameterBlock& b) {      \
        sgd_any(k, nesterov, b);                                                                 \
    }                                                                                            \
    attribute void adamw_##isa(const AdamWNumbers& k, const ParameterBlock& b) {                 \
        adamw_any(k, b);                                                                         \
    }                                                                                            \
    attribute void lion_##isa(const LionNumbers& k, const ParameterBlock& b) { lion_any(k, b); } \
    attribute void bf16_##isa(const float* values, std::uint16_t* out, std::size_t n) {          \
        bf16_any(values, out, n);                                                                \
    }                                                                                            \
    attribute double squares_##isa(const float* values, std::size_t n) {                         \
        return squares_any(values, n);                                                           \
    }                                                                                            \
    constexpr Kernels k_##isa{sgd_##isa, adamw_##isa, lion_##isa, bf16_##isa, squares_##isa};
// NOLINTEND(bugprone-macro-parentheses)
ESPER_KERNEL_ISAS(ESPER_DEFINE_KERNELS)

const Kernels& kernels(Isa isa) {
    switch (std::min(isa, best_isa())) {
#if defined(__x86_64__)
        case Isa::kAvx512:
            return k_avx512;
        case Isa::kAvx2:
            return k_avx2;
#endif
        default:
            return k_baseline;
    }
}

ParameterBlock part_of(const ParameterBlock& block, std::size_t begin, std::size_t end) {
    const auto at = [begin](auto* p) { return p == nullptr ? p : p + begin; };
    return {at(block.values),        at(block.gradients),   at(block.first_moment),
            at(block.second_moment), at(block.bf16_values), end - begin};
}

}  // namespace

void sgd_step(const SgdStep& step, const ParameterBlock& block, ThreadPool* pool, Isa isa) {
    const SgdNumbers numbers{
        static_cast<float>(step.learning_rate), static_cast<float>(step.momentum),
        static_cast<float>(step.weight_decay), static_cast<float>(step.gradient_scale)};
    const Kernels& k = kernels(isa);
    for_chunks(block.n, kChunk, pool, [&](std::size_t, std::size_t begin, std::size_t end) {
        k.sgd(numbers, step.nesterov, part_of(block, begin, end));
    });
}

void adamw_step(const AdamWStep& step, const ParameterBlock& block, ThreadPool* pool, Isa isa) {
    const auto t = static_cast<double>(step.step);
    const double correction1 = 1.0 - std::pow(step.beta1, t);
    const double correction2 = 1.0 - std::pow(step.beta2, t);
    const AdamWNumbers numbers{
        .keep = static_cast<float>(1.0 - step.learning_rate * step.weight_decay),
        .one_minus_beta1 = static_cast<float>(1.0 - step.beta1),
        .beta2 = static_cast<float>(step.beta2),
        .one_minus_beta2 = static_cast<float>(1.0 - step.beta2),
        .rate = static_cast<float>(step.learning_rate / correction1),
        .root_correction = static_cast<float>(std::sqrt(correction2)),
        .epsilon = static_cast<float>(step.epsilon),
        .scale = static_cast<float>(step.gradient_scale)};
    const Kernels& k = kernels(isa);
    for_chunks(block.n, kChunk, pool, [&](std::size_t, std::size_t begin, std::size_t end) {
        k.adamw(numbers, part_of(block, begin, end));
    });
}

void lion_step(const LionStep& step, const ParameterBlock& block, ThreadPool* pool, Isa isa) {
    const LionNumbers numbers{
        .keep = static_cast<float>(1.0 - step.learning_rate * step.weight_decay),
        .beta1 = static_cast<float>(step.beta1),
        .one_minus_beta1 = static_cast<float>(1.0 - step.beta1),
        .beta2 = static_cast<float>(step.beta2),
        .one_minus_beta2 = static_cast<float>(1.0 - step.beta2),
        .rate = static_cast<float>(step.learning_rate),
        .scale = static_cast<float>(step.gradient_scale)};
    const Kernels& k = kernels(isa);
    for_chunks(block.n, kChunk, pool, [&](std::size_t, std::size_t begin, std::size_t end) {
        k.lion(numbers, part_of(block, begin, end));
    });
}

void to_bf16(std::span<const float> values, std::uint16_t* out, Isa isa) {
    kernels(isa).bf16(values.data(), out, values.size());
}

double sum_of_squares(std::span<const float> values, ThreadPool* pool, Isa isa) {
    std::vector<double> partial((values.size() + kChunk - 1) / kChunk);
    const Kernels& k = kernels(isa);
    for_chunks(values.size(), kChunk, pool,
               [&](std::size_t chunk, std::size_t begin, std::size_t end) {
                   partial[chunk] = k.squares(values.data() + begin, end - begin);
               });
    double sum = 0;
    for (const double p : partial) sum += p;
    return sum;
}

double clip_factor(double norm, double limit) {
    return limit > 0 ? std::min(1.0, limit / (norm + 1e-6)) : 1.0;
}

}  // namespace esper::tolaria
