#include "esper/engine/kernels/optimizer_kernels.h"

#include <gtest/gtest.h>

#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <future>
#include <limits>
#include <utility>
#include <vector>

#include "esper/base/random.h"
#include "esper/engine/kernels/parallel_chunks.h"

namespace esper::tolaria {
namespace {

struct Buffers {
    std::vector<float> values, gradients, first, second;
    std::vector<std::uint16_t> copy;
    explicit Buffers(std::size_t n)
        : values(random(n, 0)), gradients(random(n, 1)), first(n), second(n), copy(n) {}
    static std::vector<float> random(std::size_t n, std::uint32_t which) {
        std::vector<float> v(n);
        RandomStream stream(5, "optimizer test", 0, which);
        for (float& x : v) x = static_cast<float>(stream.normal());
        return v;
    }
    void new_gradients(std::uint32_t step) { gradients = random(values.size(), 10 + step); }
    ParameterBlock block(bool with_copy = false) {
        return {values.data(),
                gradients.data(),
                first.data(),
                second.data(),
                with_copy ? copy.data() : nullptr,
                values.size()};
    }
    bool operator==(const Buffers&) const = default;
};

double largest_gap(const std::vector<float>& a, const std::vector<double>& b) {
    double gap = 0;
    for (std::size_t i = 0; i < a.size(); ++i) gap = std::max(gap, std::abs(a[i] - b[i]));
    return gap;
}

TEST(SgdStep, FollowsTheFormulaInEveryForm) {
    for (const double momentum : {0.0, 0.9}) {
        for (const bool nesterov : {false, true}) {
            Buffers b(1003);
            std::vector<double> p(b.values.begin(), b.values.end());
            std::vector<double> m(p.size());
            const SgdStep step{.learning_rate = 0.05,
                               .momentum = momentum,
                               .weight_decay = 0.01,
                               .nesterov = nesterov,
                               .gradient_scale = 0.5};
            for (std::uint32_t t = 0; t < 20; ++t) {
                b.new_gradients(t);
                sgd_step(step, b.block());
                for (std::size_t i = 0; i < p.size(); ++i) {
                    double g = 0.5 * b.gradients[i] + 0.01 * p[i];
                    m[i] = momentum * m[i] + g;
                    if (momentum != 0) g = nesterov ? g + momentum * m[i] : m[i];
                    p[i] -= 0.05 * g;
                }
            }
            EXPECT_LT(largest_gap(b.values, p), 2e-5) << momentum << nesterov;
        }
    }
}

TEST(SgdStep, WithoutMomentumNeedsNoBuffer) {
    Buffers b(100);
    ParameterBlock block = b.block();
    block.first_moment = nullptr;
    const float before = b.values[7];
    sgd_step({.learning_rate = 0.5, .momentum = 0}, block);
    EXPECT_FLOAT_EQ(b.values[7], before - 0.5F * b.gradients[7]);
}

TEST(AdamWStep, FollowsTheFormula) {
    Buffers b(1003);
    std::vector<double> p(b.values.begin(), b.values.end());
    std::vector<double> m(p.size());
    std::vector<double> v(p.size());
    for (std::uint64_t t = 1; t <= 30; ++t) {
        b.new_gradients(static_cast<std::uint32_t>(t));
        adamw_step({.learning_rate = 0.01,
                    .beta1 = 0.9,
                    .beta2 = 0.99,
                    .weight_decay = 0.1,
                    .step = t,
                    .gradient_scale = 2},
                   b.block());
        for (std::size_t i = 0; i < p.size(); ++i) {
            const double g = 2.0 * b.gradients[i];
            p[i] *= 1 - 0.01 * 0.1;
            m[i] = 0.9 * m[i] + 0.1 * g;
            v[i] = 0.99 * v[i] + 0.01 * g * g;
            const auto n = static_cast<double>(t);
            p[i] -= 0.01 * (m[i] / (1 - std::pow(0.9, n))) /
                    (std::sqrt(v[i] / (1 - std::pow(0.99, n))) + 1e-8);
        }
    }
    EXPECT_LT(largest_gap(b.values, p), 2e-5);
}

TEST(OptimizerKernels, InstructionSetsAndThreadsGiveTheSameBits) {
    ThreadPool pool(3);
    const std::size_t n = 3 * 65536 + 4321;
    const auto run = [&](Isa isa, ThreadPool* threads) {
        Buffers b(n);
        for (std::uint32_t t = 1; t <= 3; ++t) {
            b.new_gradients(t);
            sgd_step({.weight_decay = 0.01}, b.block(true), threads, isa);
            adamw_step({.step = t}, b.block(true), threads, isa);
        }
        return std::pair(b, sum_of_squares(b.values, threads, isa));
    };
    const auto [reference, reference_sum] = run(Isa::kBaseline, nullptr);
    for (const Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512}) {
        for (ThreadPool* threads : {static_cast<ThreadPool*>(nullptr), &pool}) {
            const auto [result, sum] = run(isa, threads);
            EXPECT_TRUE(result == reference) << static_cast<int>(isa);
            EXPECT_EQ(std::bit_cast<std::uint64_t>(sum),
                      std::bit_cast<std::uint64_t>(reference_sum));
        }
    }
}

TEST(OptimizerKernels, ABlockMayBeCutAnywhere) {
    Buffers whole(1000);
    Buffers pieces(1000);
    adamw_step({}, whole.block(true));
    for (const auto& [begin, end] :
         {std::pair(0UL, 13UL), std::pair(13UL, 700UL), std::pair(700UL, 1000UL)}) {
        adamw_step({}, {pieces.values.data() + begin, pieces.gradients.data() + begin,
                        pieces.first.data() + begin, pieces.second.data() + begin,
                        pieces.copy.data() + begin, end - begin});
    }
    EXPECT_TRUE(whole == pieces);
    adamw_step({}, ParameterBlock{});
}

std::uint16_t rounded(float value, Isa isa) {
    std::uint16_t out = 0;
    to_bf16(std::span(&value, 1), &out, isa);
    return out;
}

TEST(Bf16, RoundsToNearestEvenAndKeepsSpecialValues) {
    const float inf = std::numeric_limits<float>::infinity();
    for (const Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512}) {
        EXPECT_EQ(rounded(1.0F, isa), 0x3F80);
        EXPECT_EQ(rounded(std::bit_cast<float>(0x3F808000U), isa), 0x3F80) << "a tie goes to even";
        EXPECT_EQ(rounded(std::bit_cast<float>(0x3F818000U), isa), 0x3F82) << "a tie goes to even";
        EXPECT_EQ(rounded(std::bit_cast<float>(0x3F808001U), isa), 0x3F81);
        EXPECT_EQ(rounded(std::bit_cast<float>(0x3F807FFFU), isa), 0x3F80);
        EXPECT_EQ(rounded(-0.0F, isa), 0x8000);
        EXPECT_EQ(rounded(inf, isa), 0x7F80);
        EXPECT_EQ(rounded(std::numeric_limits<float>::max(), isa), 0x7F80);
        EXPECT_EQ(rounded(std::bit_cast<float>(0x7F800001U), isa), 0x7FC0) << "NaN stays NaN";
    }
}

TEST(Bf16, TheCopyWrittenInThePassIsTheRoundedValue) {
    Buffers b(777);
    sgd_step({}, b.block(true));
    std::vector<std::uint16_t> expected(777);
    to_bf16(b.values, expected.data());
    EXPECT_EQ(b.copy, expected);
}

TEST(SumOfSquares, IsExactWhereDoubleIsAndShowsWhatIsNotFinite) {
    std::vector<float> values(200001, 0.5F);
    EXPECT_EQ(sum_of_squares(values), 0.25 * 200001);
    EXPECT_EQ(sum_of_squares({}), 0);
    values[0] = std::numeric_limits<float>::max();
    values[1] = values[0];
    EXPECT_TRUE(std::isfinite(sum_of_squares(values))) << "double does not overflow";
    for (const float bad :
         {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        for (const std::size_t place : {0UL, 99999UL, 200000UL}) {
            std::vector<float> broken(200001, 0.5F);
            broken[place] = bad;
            EXPECT_FALSE(std::isfinite(sum_of_squares(broken)));
        }
    }
}

TEST(ClipFactor, LeavesSmallGradientsAlone) {
    EXPECT_EQ(clip_factor(0.5, 1.0), 1.0);
    EXPECT_EQ(clip_factor(1e9, 0.0), 1.0);
    EXPECT_DOUBLE_EQ(clip_factor(4.0, 1.0), 1.0 / (4.0 + 1e-6));
}

TEST(ForChunks, CallsEachChunkOnceAlsoFromInsideAWorker) {
    ThreadPool pool(2);
    const auto count = [&](std::size_t n) {
        std::vector<std::atomic<int>> seen(n);
        for_chunks(n, 7, &pool, [&](std::size_t chunk, std::size_t begin, std::size_t end) {
            EXPECT_EQ(begin, chunk * 7);
            for (std::size_t i = begin; i < end; ++i) seen[i].fetch_add(1);
        });
        for (const auto& s : seen) EXPECT_EQ(s.load(), 1);
    };
    for (const std::size_t n : {0UL, 1UL, 7UL, 8UL, 1000UL}) count(n);
    std::vector<std::future<void>> nested;
    for (int i = 0; i < 8; ++i) nested.push_back(pool.submit([&] { count(500); }));
    for (auto& f : nested) f.get();
}

}  // namespace
}  // namespace esper::tolaria
