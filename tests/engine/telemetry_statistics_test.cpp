#include "esper/engine/kernels/telemetry_statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "esper/base/random.h"

namespace esper::execution {
namespace {

std::vector<float> activations(std::size_t n) {
    RandomStream random(1, "activations");
    std::vector<float> x(n);
    // Rectified, as most activations are: half of them exactly zero.
    for (float& v : x) v = std::max(0.0F, static_cast<float>(random.normal()) + 0.1F);
    return x;
}

TEST(TelemetryStatistics, EveryKernelAddsUpTheSameWhateverTheShape) {
    const auto x = activations(100 * 150);
    for (const auto& kernel : statistics_kernels())
        for (std::size_t features : {1U, 7U, 16U, 17U, 33U, 64U, 150U})
            for (std::size_t rows : {1U, 3U, 100U}) {
                ActivationSums want, got;
                std::vector<float> want_max(features, -1e30F), got_max(features, -1e30F);
                statistics_kernels().front().run(x.data(), rows, features, 150, want_max.data(),
                                                 want);
                kernel.run(x.data(), rows, features, 150, got_max.data(), got);
                EXPECT_NEAR(got.sum, want.sum, 1e-5 * std::abs(want.sum) + 1e-5) << kernel.name;
                EXPECT_NEAR(got.squares, want.squares, 1e-5 * want.squares + 1e-5) << kernel.name;
                EXPECT_EQ(got.max, want.max) << kernel.name;
                EXPECT_EQ(got.zeros, want.zeros) << kernel.name;
                EXPECT_EQ(got.n, rows * features) << kernel.name;
                EXPECT_EQ(got_max, want_max) << kernel.name;
            }
}

TEST(TelemetryStatistics, ReadsNothingBesideTheFeaturesItIsGiven) {
    std::vector<float> x(4 * 20, std::nanf(""));
    for (std::size_t row = 0; row < 4; ++row)
        for (std::size_t f = 5; f < 14; ++f) x[row * 20 + f] = -2;
    for (const auto& kernel : statistics_kernels()) {
        ActivationSums sums;
        kernel.run(x.data() + 5, 4, 9, 20, nullptr, sums);
        EXPECT_EQ(sums.sum, -72) << kernel.name;
        EXPECT_EQ(sums.max, -2) << kernel.name;
        EXPECT_EQ(sums.zeros, 0U) << kernel.name;
        EXPECT_EQ(sums.variance(), 0) << kernel.name;
    }
}

}  // namespace
}  // namespace esper::execution
