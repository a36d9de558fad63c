#include "esper/configs/duration.h"

#include <gtest/gtest.h>

namespace esper::configs {
namespace {

TEST(Duration, EveryUnitReadsBackAsItWasWritten) {
    for (const std::string text :
         {"20ep", "1.5ep", "500ba", "5%", "2.5%", "250ms", "10s", "30m", "72h", "7d", "0s"}) {
        const auto duration = Duration::parse(text);
        ASSERT_TRUE(duration) << text;
        EXPECT_EQ(duration->to_string(), text);
    }
}

TEST(Duration, ExtremeValuesReadBackExactly) {
    for (const double value : {1e-300, 1e300, 0.1, 123456789.123456789, 5e-324}) {
        const Duration duration{value, TimeUnit::kSeconds};
        EXPECT_EQ(Duration::parse(duration.to_string()), duration) << duration.to_string();
    }
}

TEST(Duration, WhatIsNoDurationIsRefused) {
    for (const std::string text : {"", "20", "ep", "-5s", "5 s", "5S", "5sec", "1e3s", "infs",
                                   "nan%", ".s", "1.2.3s", "5s ", " 5s", "+5s"}) {
        EXPECT_FALSE(Duration::parse(text)) << text;
    }
}

TEST(Duration, ProgressBecomesSteps) {
    EXPECT_EQ(Duration::epochs(1.5).steps(50, 1000), 75);
    EXPECT_EQ(Duration::batches(128).steps(50, 1000), 128);
    EXPECT_EQ(Duration::percent(5).steps(50, 1000), 50);
    EXPECT_EQ(Duration::seconds(5).steps(50, 1000), std::nullopt);
}

TEST(Duration, ALengthBeyondAnyRunStaysACount) {
    EXPECT_EQ(Duration::epochs(1e300).steps(50, 1000), 9000000000000000);
    EXPECT_EQ(Duration::percent(0).steps(50, 1000), 0);
}

TEST(Duration, ClockTimeBecomesSeconds) {
    EXPECT_EQ(Duration::milliseconds(250).in_seconds(), 0.25);
    EXPECT_EQ(Duration::minutes(2).in_seconds(), 120);
    EXPECT_EQ(Duration::hours(1).in_seconds(), 3600);
    EXPECT_EQ((Duration{2, TimeUnit::kDays}).in_seconds(), 172800);
    EXPECT_EQ(Duration::epochs(1).in_seconds(), std::nullopt);
}

}  // namespace
}  // namespace esper::configs
