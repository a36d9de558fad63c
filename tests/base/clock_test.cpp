#include "esper/base/clock.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace esper {
namespace {

using namespace std::chrono_literals;

TEST(SystemClock, RunsForwardAndSleepsAtLeastAsLongAsAsked) {
    Clock& clock = system_clock();
    const auto before = clock.now_ns();
    clock.sleep_for(2ms);
    EXPECT_GE(clock.now_ns() - before, 2'000'000);
    // 2024-01-01: any machine that runs this is later.
    EXPECT_GT(clock.utc_ns(), 1'704'067'200'000'000'000);
}

TEST(ManualClock, MovesOnlyWhenToldTo) {
    ManualClock clock(1000);
    EXPECT_EQ(clock.now_ns(), 0);
    EXPECT_EQ(clock.utc_ns(), 1000);
    clock.sleep_for(5ns);
    clock.advance(7ns);
    clock.sleep_for(-100ns);
    EXPECT_EQ(clock.now_ns(), 12);
    EXPECT_EQ(clock.utc_ns(), 1012);
}

TEST(ManualClock, NoSleepOfAnyThreadIsLost) {
    ManualClock clock;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 10000; ++i) clock.sleep_for(1ns);
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(clock.now_ns(), 40000);
}

TEST(Iso8601, WritesUtcWithMilliseconds) {
    EXPECT_EQ(iso8601(0), "1970-01-01T00:00:00.000Z");
    EXPECT_EQ(iso8601(1'795'425'485'123'999'999), "2026-11-23T09:18:05.123Z");
    EXPECT_EQ(iso8601(951'782'400'000'000'000), "2000-02-29T00:00:00.000Z");
    EXPECT_EQ(iso8601(-1), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace esper
