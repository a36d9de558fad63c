#include "esper/services/nissa/reading_lag.h"

#include <gtest/gtest.h>

namespace esper::nissa {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(ReadingLag, IsTheLongestWaitOfTheLastMinute) {
    ReadingLag lag;
    lag.looked(0, 99 * kSecond);  // what was there before the first look was waiting for nobody
    EXPECT_FALSE(lag.seconds());
    lag.looked(kSecond, std::nullopt);
    EXPECT_EQ(lag.seconds(), 0);
    lag.looked(13 * kSecond, 11 * kSecond);
    EXPECT_EQ(lag.seconds(), 11);
    lag.looked(16 * kSecond, 2 * kSecond);
    EXPECT_EQ(lag.seconds(), 11);
    lag.looked(73 * kSecond, std::nullopt);
    EXPECT_EQ(lag.seconds(), 11);
    lag.looked(74 * kSecond, std::nullopt);
    EXPECT_EQ(lag.seconds(), 2);
    lag.looked(90 * kSecond, std::nullopt);
    EXPECT_EQ(lag.seconds(), 0);
}

TEST(ReadingLag, NothingWaitsLongerThanSinceTheLastLook) {
    ReadingLag lag;
    lag.looked(0, std::nullopt);
    // A file whose time is an hour ago, or, of another machine's clock, to come.
    lag.looked(kSecond, 3600 * kSecond);
    EXPECT_EQ(lag.seconds(), 1);
    lag.looked(100 * kSecond, std::nullopt);
    lag.looked(101 * kSecond, -3600 * kSecond);
    EXPECT_EQ(lag.seconds(), 0);
}

}  // namespace
}  // namespace esper::nissa
