#include "esper/base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace esper {
namespace {

using Words = std::array<std::uint32_t, 4>;

// The known-answer vectors that the authors publish with Random123 (philox4x32, 10 rounds).
TEST(Philox, GivesThePublishedWords) {
    EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
              (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    EXPECT_EQ(
        philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
        (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    EXPECT_EQ(
        philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
        (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

std::vector<std::uint32_t> words_of(RandomStream stream, int n) {
    std::vector<std::uint32_t> words;
    for (int i = 0; i < n; ++i) words.push_back(stream.next_u32());
    return words;
}

TEST(RandomStream, TheSameNameGivesTheSameNumbers) {
    EXPECT_EQ(words_of(RandomStream(7, "shuffle", 3, 1), 100),
              words_of(RandomStream(7, "shuffle", 3, 1), 100));
}

// A checkpoint stores only names of streams, so the numbers of a name must never change.
TEST(RandomStream, ItsNumbersArePinned) {
    EXPECT_EQ(
        words_of(RandomStream(42, "init", 5, 6), 5),
        (std::vector<std::uint32_t>{0xb3e0638e, 0xbb297003, 0x1bd86037, 0x6c1cd656, 0x42de2185}));
}

TEST(RandomStream, EveryPartOfTheNameMatters) {
    const std::vector<RandomStream> streams{
        RandomStream(7, "shuffle"),
        RandomStream(8, "shuffle"),
        RandomStream(7, "shufflf"),
        RandomStream(7, "shuffle", 1),
        RandomStream(7, "shuffle", 0, 1),
        RandomStream(std::uint64_t{7} << 32, "shuffle"),
        RandomStream(7, ""),
        RandomStream(7, "shuffle", std::uint64_t{1} << 32),
    };
    std::set<std::vector<std::uint32_t>> seen;
    std::set<std::uint32_t> words;
    for (const RandomStream& stream : streams) {
        const auto drawn = words_of(stream, 64);
        seen.insert(drawn);
        words.insert(drawn.begin(), drawn.end());
    }
    EXPECT_EQ(seen.size(), streams.size());
    // No stream is a shifted copy of another: 512 random words repeat with probability 3e-5.
    EXPECT_EQ(words.size(), 64 * streams.size());
}

TEST(RandomStream, UniformNumbersFillTheUnitIntervalEvenly) {
    RandomStream stream(1, "uniform");
    std::array<int, 16> bins{};
    constexpr int kDraws = 160000;
    for (int i = 0; i < kDraws; ++i) {
        const double u = stream.uniform();
        ASSERT_GE(u, 0.0);
        ASSERT_LT(u, 1.0);
        ++bins[static_cast<std::size_t>(u * 16)];
    }
    double chi_square = 0;
    for (const int count : bins) chi_square += std::pow(count - kDraws / 16.0, 2) / (kDraws / 16.0);
    // 15 degrees of freedom: above 44 in one of 10,000 draws; the draw is fixed.
    EXPECT_LT(chi_square, 44.0);
    EXPECT_GT(chi_square, 2.0);
}

TEST(RandomStream, ARangeIsKept) {
    RandomStream stream(1, "range");
    for (int i = 0; i < 1000; ++i) {
        const double x = stream.uniform(-3.0, 5.0);
        ASSERT_GE(x, -3.0);
        ASSERT_LT(x, 5.0);
    }
}

TEST(RandomStream, NormalNumbersHaveTheRightMoments) {
    RandomStream stream(2, "normal");
    constexpr int kDraws = 200000;
    double sum = 0, square = 0, fourth = 0;
    for (int i = 0; i < kDraws; ++i) {
        const double x = stream.normal();
        ASSERT_TRUE(std::isfinite(x));
        sum += x;
        square += x * x;
        fourth += x * x * x * x;
    }
    EXPECT_NEAR(sum / kDraws, 0.0, 0.01);
    EXPECT_NEAR(square / kDraws, 1.0, 0.015);
    EXPECT_NEAR(fourth / kDraws, 3.0, 0.1);
}

TEST(RandomStream, IntegersBelowABoundAreUnbiased) {
    RandomStream stream(3, "below");
    std::array<int, 7> counts{};
    for (int i = 0; i < 70000; ++i) ++counts.at(stream.below(7));
    for (const int count : counts) EXPECT_NEAR(count, 10000, 400);
    // With this bound half of all 64-bit words must be refused; the mean shows if they are not.
    const std::uint64_t bound = (std::uint64_t{1} << 63) + 1;
    double mean = 0;
    for (int i = 0; i < 20000; ++i) mean += static_cast<double>(stream.below(bound)) / 20000.0;
    EXPECT_NEAR(mean / static_cast<double>(bound), 0.5, 0.01);
    EXPECT_EQ(stream.below(1), 0U);
    EXPECT_EQ(stream.below(0), 0U);
}

TEST(RandomPermutation, HoldsEveryNumberOnce) {
    RandomStream stream(4, "permutation");
    auto order = random_permutation(stream, 1000);
    EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
    std::sort(order.begin(), order.end());
    for (std::uint32_t i = 0; i < 1000; ++i) ASSERT_EQ(order[i], i);
    EXPECT_TRUE(random_permutation(stream, 0).empty());
}

TEST(RandomPermutation, EveryOrderIsEquallyLikely) {
    RandomStream stream(5, "permutation");
    std::array<int, 27> counts{};
    for (int i = 0; i < 60000; ++i) {
        const auto p = random_permutation(stream, 3);
        ++counts[9 * p[0] + 3 * p[1] + p[2]];
    }
    int orders = 0;
    for (const int count : counts) {
        if (count == 0) continue;
        ++orders;
        EXPECT_NEAR(count, 10000, 400);
    }
    EXPECT_EQ(orders, 6);
}

}  // namespace
}  // namespace esper
