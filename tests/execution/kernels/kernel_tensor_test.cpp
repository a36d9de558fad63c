#include "esper/execution/kernels/kernel_tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace esper::execution {
namespace {

TEST(KernelTensor, OneBadValueAnywhereIsFound) {
    for (std::size_t n : {1u, 7u, 4096u, 4097u, 10'000u}) {
        std::vector<float> v(n, 1.0f);
        const KernelTensor t{v.data(), {static_cast<std::int64_t>(n)}, KernelDtype::kF32};
        ASSERT_TRUE(check_finite(t));
        for (std::size_t at : {std::size_t{0}, n / 2, n - 1}) {
            for (float bad : {std::nanf(""), std::numeric_limits<float>::infinity(),
                              -std::numeric_limits<float>::infinity()}) {
                v[at] = bad;
                EXPECT_TRUE(check_finite(t).error().is(KernelError::kNotFinite));
            }
            v[at] = std::numeric_limits<float>::max();
            EXPECT_TRUE(check_finite(t));
        }
    }
}

TEST(KernelTensor, EveryDtypeHasItsOwnInfinity) {
    std::uint16_t half = 0x7f80;
    EXPECT_FALSE(check_finite({&half, {1}, KernelDtype::kBf16}));
    half = 0x7c00;
    EXPECT_TRUE(check_finite({&half, {1}, KernelDtype::kBf16}));
    EXPECT_FALSE(check_finite({&half, {1}, KernelDtype::kF16}));
    double d = std::nan("");
    EXPECT_FALSE(check_finite({&d, {}, KernelDtype::kF64}));
    d = 1;
    EXPECT_TRUE(check_finite({&d, {}, KernelDtype::kF64}));
    std::int64_t i = -1;
    EXPECT_TRUE(check_finite({&i, {1}, KernelDtype::kI64}));
}

TEST(KernelTensor, CallsThatNoKernelCanServeAreRefused) {
    float x = 0;
    const KernelTensor good{&x, {1}, KernelDtype::kF32};
    auto refused = [&](std::vector<KernelTensor> in, std::vector<KernelTensor> out) {
        const Status s = check_call(in, out);
        return !s && s.error().is(KernelError::kBadCall);
    };
    EXPECT_FALSE(refused({good}, {good}));
    EXPECT_TRUE(refused({good}, {}));
    EXPECT_TRUE(refused(std::vector<KernelTensor>(17, good), {good}));
    EXPECT_TRUE(refused({{&x, std::vector<std::int64_t>(9, 1), KernelDtype::kF32}}, {good}));
    EXPECT_TRUE(refused({{&x, {-1}, KernelDtype::kF32}}, {good}));
    EXPECT_TRUE(refused({{&x, {1LL << 40, 1LL << 40}, KernelDtype::kF32}}, {good}));
    EXPECT_TRUE(refused({{nullptr, {1}, KernelDtype::kF32}}, {good}));
    EXPECT_FALSE(refused({{nullptr, {0}, KernelDtype::kF32}}, {good}));
}

TEST(KernelTensor, DtypesHaveSizesAndNames) {
    EXPECT_EQ(bytes_of(KernelDtype::kBf16), 2);
    EXPECT_EQ(bytes_of(KernelDtype::kF16), 2);
    EXPECT_EQ(bytes_of(KernelDtype::kF32), 4);
    EXPECT_EQ(bytes_of(KernelDtype::kF64), 8);
    EXPECT_EQ(to_text(KernelDtype::kI64), "i64");
    EXPECT_EQ(to_text(static_cast<KernelDtype>(-1)), "?");
}

}  // namespace
}  // namespace esper::execution
