// The vectorised loops, for every instruction set that this CPU has, against double precision.

#include "esper/engine/kernels/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "esper/base/random.h"

namespace esper::graph::kernels {
namespace {

std::vector<Isa> isas() {
    std::vector<Isa> all;
    for (auto isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512})
        if (isa <= best_isa()) all.push_back(isa);
    return all;
}

std::vector<float> numbers(std::size_t n, const char* purpose) {
    RandomStream stream(1, purpose);
    std::vector<float> values(n);
    for (auto& v : values) v = static_cast<float>(stream.normal());
    return values;
}

double gelu(double x) {
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

TEST(Kernels, GeluIsExactToRoundingAndSurvivesExtremes) {
    auto x = numbers(1003, "x");
    for (float extreme : {-1e30F, -100.0F, 0.0F, 100.0F, 1e10F}) x.push_back(extreme);
    const auto g = numbers(x.size(), "g");
    for (auto isa : isas()) {
        std::vector<float> y(x.size(), 7);
        std::vector<float> dx(x.size());
        const auto n = static_cast<std::int64_t>(x.size());
        kernels(isa).gelu.forward(x.data(), y.data(), 1, n);
        kernels(isa).gelu.backward(g.data(), x.data(), dx.data(), 0, n);
        EXPECT_EQ(y[0], 7);
        for (std::size_t i = 1; i < x.size(); ++i) {
            const double size = std::abs(static_cast<double>(x[i]));
            EXPECT_NEAR(y[i], size > 1e5 ? std::max(x[i], 0.0F) : gelu(x[i]), 1e-6 * (1 + size));
            if (size > 10) continue;
            const double slope = (gelu(x[i] + 1e-5) - gelu(x[i] - 1e-5)) / 2e-5;
            EXPECT_NEAR(dx[i], g[i] * slope, 1e-5 * (1 + std::abs(g[i])));
        }
    }
}

TEST(Kernels, GeluPassesNanOn) {
    for (auto isa : isas()) {
        std::vector<float> x(17, NAN);
        std::vector<float> y(17);
        kernels(isa).gelu.forward(x.data(), y.data(), 0, 17);
        for (auto v : y) EXPECT_TRUE(std::isnan(v));
    }
}

struct Sizes {
    std::int64_t m, n, k;
};

TEST(Kernels, ProductsAreRightForSizesThatFillNoTile) {
    for (auto isa : isas())
        for (const auto [m, n, k] : {Sizes{1, 1, 1}, Sizes{16, 64, 64}, Sizes{7, 65, 33},
                                     Sizes{13, 10, 5}, Sizes{6, 130, 3}}) {
            const auto& gemm = kernels(isa).gemm;
            const auto a = numbers(static_cast<std::size_t>(m * k), "a");
            const auto b = numbers(static_cast<std::size_t>(n * k), "b");
            const auto bias = numbers(static_cast<std::size_t>(n), "bias");
            std::vector<float> packed(static_cast<std::size_t>(gemm.packed_size(k, n)));
            std::vector<float> c(static_cast<std::size_t>(m * n), NAN);
            gemm.pack(b.data(), 1, k, k, n, packed.data());  // b is given transposed: [n, k]
            Gemm product{m, n, k, a.data(), k, 1, packed.data(), c.data(), n, bias.data(), true};
            gemm.rows(product, 0, m);
            for (std::int64_t i = 0; i < m; ++i)
                for (std::int64_t j = 0; j < n; ++j) {
                    double sum = bias[static_cast<std::size_t>(j)];
                    for (std::int64_t p = 0; p < k; ++p)
                        sum += static_cast<double>(a[static_cast<std::size_t>(i * k + p)]) *
                               b[static_cast<std::size_t>(j * k + p)];
                    EXPECT_NEAR(c[static_cast<std::size_t>(i * n + j)], std::max(sum, 0.0), 1e-4);
                }
        }
}

TEST(Kernels, NormSumsMaskAndApplyPerChannelWhateverTheirNumber) {
    for (auto isa : isas())
        for (std::int64_t channels : {1, 4, 8, 10, 16, 48, 64}) {
            const auto& k = kernels(isa).norm;
            const std::int64_t rows = 37;
            const NormShape shape{rows, channels};
            const auto n = static_cast<std::size_t>(rows * channels);
            const auto c = static_cast<std::size_t>(channels);
            const auto x = numbers(n, "x");
            const auto g = numbers(n, "g");
            const auto other = numbers(n, "other");
            const auto scale = numbers(c, "scale");
            const auto offset = numbers(c, "offset");
            const auto abc = numbers(3 * c, "abc");
            const NormLine line{scale.data(), offset.data()};
            std::vector<float> y(n), dx(n), masked(n);
            std::vector<float> sums(c), squares(c), totals(c), products(c);
            k.moments(shape, x.data(), offset.data(), 3, rows, sums.data(), squares.data());
            k.apply(shape, x.data(), other.data(), line, true, y.data(), 0, rows);
            k.gradient_sums(shape, g.data(), nullptr, x.data(), offset.data(), line, true,
                            masked.data(), 0, rows, totals.data(), products.data());
            k.gradient_apply(shape, g.data(), y.data(), x.data(), line, true, abc.data(), dx.data(),
                             0, rows);
            std::vector<double> s(c), q(c), t(c), p(c);
            for (std::size_t i = 0; i < n; ++i) {
                const auto at = i % c;
                const double d = static_cast<double>(x[i]) - offset[at];
                if (i >= 3 * c) {
                    s[at] += d;
                    q[at] += d * d;
                }
                const double value = static_cast<double>(x[i]) * scale[at] + offset[at];
                EXPECT_NEAR(y[i], std::max(value + other[i], 0.0), 1e-5);
                EXPECT_EQ(masked[i], value > 1e-6 ? g[i] : (value < -1e-6 ? 0 : masked[i]));
                t[at] += masked[i];
                p[at] += masked[i] * d;
                EXPECT_NEAR(dx[i],
                            (y[i] > 0 ? g[i] : 0) * abc[at] + x[i] * abc[c + at] + abc[2 * c + at],
                            1e-5);
            }
            for (std::size_t i = 0; i < c; ++i) {
                EXPECT_NEAR(sums[i], s[i], 1e-4);
                EXPECT_NEAR(squares[i], q[i], 2e-4);
                EXPECT_NEAR(totals[i], t[i], 1e-4);
                EXPECT_NEAR(products[i], p[i], 2e-4);
            }
        }
}

TEST(Kernels, CrossEntropyLeavesIgnoredRowsOut) {
    for (auto isa : isas()) {
        const std::int64_t classes = 65;
        const auto x = numbers(3 * 65, "x");
        const std::vector<std::int64_t> targets{64, -100, 3};
        std::vector<float> losses(3), gradient(3 * 65);
        kernels(isa).cross_entropy(x.data(), targets.data(), classes, 0.5F, losses.data(),
                                   gradient.data(), 0, 3);
        for (std::size_t row : {std::size_t{0}, std::size_t{2}}) {
            double sum = 0;
            for (std::size_t i = 0; i < 65; ++i) sum += std::exp(x[row * 65 + i]);
            const auto target = static_cast<std::size_t>(targets[row]);
            EXPECT_NEAR(losses[row], std::log(sum) - x[row * 65 + target], 1e-5);
            for (std::size_t i = 0; i < 65; ++i)
                EXPECT_NEAR(gradient[row * 65 + i],
                            0.5 * (std::exp(x[row * 65 + i]) / sum - (i == target ? 1 : 0)), 1e-6);
        }
        EXPECT_EQ(losses[1], 0);
        EXPECT_TRUE(std::all_of(gradient.begin() + 65, gradient.begin() + 130,
                                [](float v) { return v == 0; }));
    }
}

struct AttentionCase {
    std::int64_t tokens, size;
};

// One head in double precision: output, then gradients of q, k and v.
std::array<std::vector<double>, 4> attend(AttentionCase c, const std::vector<float>& q,
                                          const std::vector<float>& k, const std::vector<float>& v,
                                          const std::vector<float>& g) {
    const auto d = static_cast<std::size_t>(c.size);
    const double scale = 1 / std::sqrt(static_cast<double>(c.size));
    std::array<std::vector<double>, 4> r;
    for (auto& values : r) values.resize(q.size());
    for (std::size_t i = 0; i < q.size() / d; ++i) {
        std::vector<double> p(i + 1);
        double sum = 0;
        for (std::size_t j = 0; j <= i; ++j) {
            for (std::size_t x = 0; x < d; ++x)
                p[j] += scale * static_cast<double>(q[i * d + x]) * k[j * d + x];
            p[j] = std::exp(p[j]);
            sum += p[j];
        }
        double mean = 0;
        for (std::size_t x = 0; x < d; ++x) {
            for (std::size_t j = 0; j <= i; ++j) r[0][i * d + x] += p[j] / sum * v[j * d + x];
            mean += r[0][i * d + x] * g[i * d + x];
        }
        for (std::size_t j = 0; j <= i; ++j) {
            double dp = 0;
            for (std::size_t x = 0; x < d; ++x)
                dp += static_cast<double>(g[i * d + x]) * v[j * d + x];
            const double ds = p[j] / sum * (dp - mean) * scale;
            for (std::size_t x = 0; x < d; ++x) {
                r[1][i * d + x] += ds * k[j * d + x];
                r[2][j * d + x] += ds * q[i * d + x];
                r[3][j * d + x] += p[j] / sum * g[i * d + x];
            }
        }
    }
    return r;
}

TEST(Kernels, AttentionSeesNothingAheadAndGivesEveryGradient) {
    for (auto isa : isas())
        for (const auto c : {AttentionCase{1, 8}, AttentionCase{7, 16}, AttentionCase{50, 20},
                             AttentionCase{128, 32}}) {
            const auto n = static_cast<std::size_t>(c.tokens * c.size);
            const auto q = numbers(n, "q");
            const auto k = numbers(n, "k");
            const auto v = numbers(n, "v");
            const auto g = numbers(n, "g");
            std::vector<float> out(n), dq(n), dk(n), dv(n);
            std::vector<float> log_sums(static_cast<std::size_t>(c.tokens));
            std::vector<float> scratch(
                static_cast<std::size_t>(kernels(isa).attention_scratch(c.tokens, c.size)));
            Head<float> head;
            head.tokens = c.tokens;
            head.size = c.size;
            head.scale = 1.0F / std::sqrt(static_cast<float>(c.size));
            head.q = q.data();
            head.k = k.data();
            head.v = v.data();
            head.qkv_stride = head.out_stride = c.size;
            head.out = out.data();
            head.log_sums = log_sums.data();
            head.scratch = scratch.data();
            kernels(isa).attention.forward(head);
            kernels(isa).attention.backward(
                head, {g.data(), c.size, dq.data(), dk.data(), dv.data(), c.size});
            const auto expected = attend(c, q, k, v, g);
            const std::array<const std::vector<float>*, 4> got{&out, &dq, &dk, &dv};
            for (std::size_t part = 0; part < 4; ++part)
                for (std::size_t i = 0; i < n; ++i)
                    ASSERT_NEAR((*got[part])[i], expected[part][i], 1e-5) << part << " at " << i;
        }
}

TEST(Kernels, HalvesRoundToTheNearestEvenAndBack) {
    const std::vector<float> x{1.0F, 1.00390625F, 1.01171875F, -3.3895314e38F, INFINITY, 0.1F};
    for (auto isa : isas()) {
        std::vector<Bf16> half(x.size());
        std::vector<float> back(x.size()), rounded(x.size());
        const auto n = static_cast<std::int64_t>(x.size());
        kernels(isa).narrow(x.data(), half.data(), n);
        kernels(isa).widen(half.data(), back.data(), n);
        kernels(isa).round(x.data(), rounded.data(), n);
        EXPECT_EQ(back, rounded);
        EXPECT_EQ(back, (std::vector<float>{1.0F, 1.0F, 1.015625F, -3.3895314e38F, INFINITY,
                                            0.10009765625F}));
    }
}

}  // namespace
}  // namespace esper::graph::kernels
