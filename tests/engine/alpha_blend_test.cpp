#include "esper/engine/kernels/alpha_blend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <vector>

namespace esper::execution {
namespace {

float widen(Bf16 x) { return std::bit_cast<float>(static_cast<std::uint32_t>(x) << 16); }

/// Values of both signs over a few binades.
std::vector<float> values(std::size_t n, std::uint32_t which) {
    std::uint32_t state = 0x9e3779b9u * (which + 1);
    std::vector<float> v(n);
    for (float& x : v) {
        state = state * 1664525u + 1013904223u;
        x = static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-29f;
    }
    return v;
}

std::vector<Bf16> halves(const std::vector<float>& v) {
    std::vector<Bf16> h;
    for (float x : v) h.push_back(static_cast<Bf16>(std::bit_cast<std::uint32_t>(x) >> 16));
    return h;
}

bool same_bits(const auto& a, const auto& b) {
    return a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(a[0])) == 0;
}

// 2 200 003 floats are large enough that outputs bypass the caches.
constexpr std::size_t kSizes[] = {0, 1, 15, 16, 31, 33, 64, 1000, 2'200'003};

TEST(AlphaBlend, ForwardIsOneFusedMultiplyAdd) {
    const auto y = values(1000, 0), s = values(1000, 1);
    std::vector<float> out(1000);
    alpha_blend(y.data(), s.data(), 0.3f, out.data(), out.size());
    for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], std::fma(0.3f, s[i], y[i]));
}

TEST(AlphaBlend, EveryImplementationGivesTheSameBits) {
    const auto& all = alpha_blend_kernels();
    for (std::size_t n : kSizes) {
        const auto y = values(n, 0), s = values(n, 1);
        const auto yh = halves(y), sh = halves(s);
        struct Out {
            std::vector<float> f, ds, dy;
            std::vector<Bf16> h, hds, hdy;
            double da = 0, hda = 0;
        };
        std::vector<Out> outs;
        for (const auto& k : all) {
            Out o{std::vector<float>(n), std::vector<float>(n), std::vector<float>(n),
                  std::vector<Bf16>(n),  std::vector<Bf16>(n),  std::vector<Bf16>(n)};
            k.f32(y.data(), s.data(), 0.7f, o.f.data(), n);
            k.bf16(yh.data(), sh.data(), 0.7f, o.h.data(), n);
            o.da = k.f32_backward(y.data(), s.data(), 0.7f, o.ds.data(), o.dy.data(), n);
            o.hda = k.bf16_backward(yh.data(), sh.data(), 0.7f, o.hds.data(), o.hdy.data(), n);
            EXPECT_TRUE(same_bits(o.dy, y) && same_bits(o.hdy, yh));
            outs.push_back(std::move(o));
        }
        for (std::size_t k = 1; k < outs.size(); ++k) {
            SCOPED_TRACE(std::string(all[k].name) + " n=" + std::to_string(n));
            EXPECT_TRUE(same_bits(outs[k].f, outs[0].f));
            EXPECT_TRUE(same_bits(outs[k].h, outs[0].h));
            EXPECT_TRUE(same_bits(outs[k].ds, outs[0].ds));
            EXPECT_TRUE(same_bits(outs[k].hds, outs[0].hds));
            EXPECT_EQ(outs[k].da, outs[0].da);
            EXPECT_EQ(outs[k].hda, outs[0].hda);
        }
    }
}

TEST(AlphaBlend, TheGradientIsThatOfTheForwardPass) {
    constexpr std::size_t kN = 257;
    const auto s = values(kN, 1), g = values(kN, 2);
    std::vector<float> ds(kN);
    const double da = alpha_blend_backward(g.data(), s.data(), 0.4f, ds.data(), nullptr, kN);
    double want = 0;
    for (std::size_t i = 0; i < kN; ++i) {
        want += double{g[i]} * double{s[i]};
        EXPECT_EQ(ds[i], 0.4f * g[i]);
    }
    EXPECT_NEAR(da, want, 1e-12 * kN);
}

TEST(AlphaBlend, WorksInPlaceAndAtAnyAlignment) {
    for (const auto& k : alpha_blend_kernels()) {
        for (std::size_t n : {std::size_t{77}, std::size_t{2'200'003}}) {
            const auto y = values(n, 0), s = values(n, 1);
            std::vector<float> want(n), in_place = y, shifted(n + 1);
            k.f32(y.data(), s.data(), 0.5f, want.data(), n);
            k.f32(in_place.data(), s.data(), 0.5f, in_place.data(), n);
            k.f32(y.data(), s.data(), 0.5f, shifted.data() + 1, n);
            EXPECT_TRUE(same_bits(in_place, want)) << k.name;
            EXPECT_EQ(std::memcmp(shifted.data() + 1, want.data(), n * 4), 0) << k.name;
            const auto gh = halves(y), sh = halves(s);
            std::vector<Bf16> ds(n), ds_in_place = gh;
            k.bf16_backward(gh.data(), sh.data(), 0.5f, ds.data(), nullptr, n);
            k.bf16_backward(ds_in_place.data(), sh.data(), 0.5f, ds_in_place.data(), nullptr, n);
            EXPECT_TRUE(same_bits(ds_in_place, ds)) << k.name;
            std::vector<Bf16> over = gh, dy(n);
            k.bf16_backward(over.data(), sh.data(), 0.5f, over.data(), dy.data(), n);
            EXPECT_TRUE(same_bits(over, ds) && same_bits(dy, gh)) << k.name;
            std::vector<float> fover = y, fdy(n);
            k.f32_backward(fover.data(), s.data(), 0.5f, fover.data(), fdy.data(), n);
            EXPECT_TRUE(same_bits(fdy, y)) << k.name;
        }
    }
}

/// n values aligned to a cache line, which the kernels need to bypass the caches.
template <typename T>
struct Aligned {
    explicit Aligned(std::size_t n) : room(n + 64 / sizeof(T)), span(start(room), n) {}
    static T* start(std::vector<T>& room) {
        void* at = room.data();
        std::size_t space = room.size() * sizeof(T);
        return static_cast<T*>(std::align(64, sizeof(T), at, space));
    }
    std::vector<T> room;
    std::span<T> span;
};

template <typename T>
void expect_that_past_the_caches_is_the_same(const std::vector<T>& y, const std::vector<T>& s,
                                             auto forward, auto backward) {
    const std::size_t n = y.size();
    const auto& plain = alpha_blend_kernels().front();
    std::vector<T> out(n), ds(n);
    (plain.*forward)(y.data(), s.data(), 0.7f, out.data(), n);
    const double da =
        (plain.*backward)(y.data(), s.data(), 0.7f, ds.data(), static_cast<T*>(nullptr), n);
    for (const auto& k : alpha_blend_kernels()) {
        SCOPED_TRACE(k.name);
        Aligned<T> streamed(n), dy(n);
        (k.*forward)(y.data(), s.data(), 0.7f, streamed.span.data(), n);
        EXPECT_TRUE(same_bits(streamed.span, out));
        std::ranges::fill(streamed.span, T{});
        EXPECT_EQ((k.*backward)(y.data(), s.data(), 0.7f, streamed.span.data(), dy.span.data(), n),
                  da);
        EXPECT_TRUE(same_bits(streamed.span, ds));
        EXPECT_TRUE(same_bits(dy.span, y));
    }
}

TEST(AlphaBlend, LargeOutputsWrittenPastTheCachesHaveTheSameBits) {
    const std::size_t n = (std::size_t{8} << 20) / sizeof(float) + 77;
    const auto y = values(n, 0), s = values(n, 1);
    expect_that_past_the_caches_is_the_same(y, s, &AlphaBlendKernels::f32,
                                            &AlphaBlendKernels::f32_backward);
    const auto more_y = values(2 * n, 2), more_s = values(2 * n, 3);
    expect_that_past_the_caches_is_the_same(halves(more_y), halves(more_s),
                                            &AlphaBlendKernels::bf16,
                                            &AlphaBlendKernels::bf16_backward);
}

TEST(AlphaBlend, TheGradientOfAlphaInHalvesIsThatOfTheirProducts) {
    constexpr std::size_t kN = 4097;
    const auto g = halves(values(kN, 4)), s = halves(values(kN, 5));
    std::vector<Bf16> ds(kN), out(kN);
    const double da = alpha_blend_backward(g.data(), s.data(), 0.4f, ds.data(), nullptr, kN);
    double want = 0, magnitude = 0;
    for (std::size_t i = 0; i < kN; ++i) {
        const double product = double{widen(g[i])} * double{widen(s[i])};
        want += product;
        magnitude += std::abs(product);
    }
    EXPECT_NEAR(da, want, 0x1p-22 * magnitude);
    alpha_blend(g.data(), s.data(), 0.0f, out.data(), kN);
    EXPECT_TRUE(same_bits(out, g));
}

TEST(AlphaBlend, EveryHalfThereIsComesOutTheSameFromEveryKernel) {
    std::vector<Bf16> all(65536), s(65536), expected(65536), out(65536), ds(65536);
    for (std::size_t i = 0; i < all.size(); ++i) {
        all[i] = static_cast<Bf16>(i);
        s[i] = static_cast<Bf16>(i % 7);  // zeros and numbers too small for a normal one
    }
    const auto& plain = alpha_blend_kernels().front();
    plain.bf16(all.data(), s.data(), 1.0f, expected.data(), all.size());
    std::vector<Bf16> expected_ds(65536);
    plain.bf16_backward(all.data(), s.data(), 0.75f, expected_ds.data(), nullptr, all.size());
    for (const auto& k : alpha_blend_kernels()) {
        k.bf16(all.data(), s.data(), 1.0f, out.data(), all.size());
        EXPECT_EQ(out, expected) << k.name;
        k.bf16_backward(all.data(), s.data(), 0.75f, ds.data(), nullptr, all.size());
        EXPECT_EQ(ds, expected_ds) << k.name;
    }
}

TEST(AlphaBlend, HalvesRoundToNearestEvenAndKeepNaNAndInfinity) {
    for (const auto& k : alpha_blend_kernels()) {
        const float inf = std::numeric_limits<float>::infinity();
        std::vector<Bf16> y(48), s(48), out(48);
        // 1 + 2^-8 lies between two bf16 neighbours (ties to even: 1); 1 + 3·2^-8 goes up.
        y[0] = 0x3f80, s[0] = 0x3b80;
        y[1] = 0x3f81, s[1] = 0x3b80;
        y[2] = halves({inf})[0], s[2] = 0;
        y[3] = 0x7f81, s[3] = 0;  // a signalling NaN
        y[4] = 0x7f7f, s[4] = 0x7f7f;
        k.bf16(y.data(), s.data(), 1.0f, out.data(), out.size());
        EXPECT_EQ(out[0], 0x3f80) << k.name;
        EXPECT_EQ(out[1], 0x3f82) << k.name;
        EXPECT_EQ(widen(out[2]), inf) << k.name;
        EXPECT_EQ(out[3], 0x7fc0) << k.name;
        EXPECT_EQ(widen(out[4]), inf) << k.name;
    }
}

}  // namespace
}  // namespace esper::execution
