#include "esper/execution/kernels/memory_pressure.h"

#include <gtest/gtest.h>

namespace esper::execution {
namespace {

using enum MemoryPressure;

TEST(MemoryPressure, RungsAreEnteredAtTheirThresholdAndLeftBelowIt) {
    PressureLadder ladder;
    EXPECT_EQ(ladder.update(0.5), kNone);
    EXPECT_EQ(ladder.update(0.80), kShrinkCache);
    EXPECT_EQ(ladder.update(0.77), kShrinkCache) << "within the margin";
    EXPECT_EQ(ladder.update(0.75), kNone);
    EXPECT_EQ(ladder.update(0.96), kEagerFallback) << "rungs may be skipped";
    EXPECT_EQ(ladder.update(0.92), kEagerFallback);
    EXPECT_EQ(ladder.update(0.90), kDegradeTelemetry);
    EXPECT_EQ(ladder.update(0.1), kNone);
    EXPECT_EQ(ladder.level(), kNone);
    EXPECT_EQ(to_text(kDegradeTelemetry), "degrade_telemetry");
}

TEST(MemoryPressure, TheControlGroupsLimitComesFirst) {
    const char* info = "MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    250 kB\n";
    EXPECT_EQ(memory_in_use("30\n", "100\n", info), 0.3);
    EXPECT_EQ(memory_in_use("30\n", "max\n", info), 0.75);
    EXPECT_EQ(memory_in_use("", "", info), 0.75);
    EXPECT_EQ(memory_in_use("", "", ""), std::nullopt);
}

TEST(MemoryPressure, ThisMachineCanBeRead) {
    const auto share = memory_in_use();
    ASSERT_TRUE(share);
    EXPECT_GT(*share, 0.0);
    EXPECT_LT(*share, 1.0);
}

}  // namespace
}  // namespace esper::execution
