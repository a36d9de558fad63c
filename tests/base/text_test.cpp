#include "esper/base/text.h"

#include <gtest/gtest.h>

#include <cmath>

namespace esper {
namespace {

using Strings = std::vector<std::string>;

TEST(EditDistance, CountsChangesAndSwapsOfNeighbours) {
    EXPECT_EQ(edit_distance("", ""), 0U);
    EXPECT_EQ(edit_distance("", "abc"), 3U);
    EXPECT_EQ(edit_distance("abc", ""), 3U);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
    EXPECT_EQ(edit_distance("epochs", "epohcs"), 1U);
    // Optimal string alignment does not edit a swapped pair again, so this is 3, not 2.
    EXPECT_EQ(edit_distance("ca", "abc"), 3U);
}

TEST(ClosestMatch, FindsALikelyTypoOnly) {
    const Strings keys{"run.seed", "run.device", "data.batch_size"};
    EXPECT_EQ(closest_match("run.sede", keys), "run.seed");
    EXPECT_EQ(closest_match("run.devcie", keys), "run.device");
    EXPECT_EQ(closest_match("optimizer", keys), "");
    EXPECT_EQ(closest_match("x", Strings{}), "");
}

TEST(ClosestMatch, TheLimitIsOnePlusAQuarterOfTheLength) {
    EXPECT_EQ(closest_match("abcd", Strings{"abXX"}), "abXX");
    EXPECT_EQ(closest_match("abc", Strings{"aXX"}), "");
}

TEST(QuoteWithSuggestion, SuggestsOnlyWhenSomethingIsNear) {
    const Strings keys{"epochs"};
    EXPECT_EQ(quote_with_suggestion("epoch", keys), "'epoch' (did you mean 'epochs'?)");
    EXPECT_EQ(quote_with_suggestion("zzz", keys), "'zzz'");
}

TEST(Split, KeepsEmptyPartsAndJoinUndoesIt) {
    EXPECT_EQ(split("a,,b", ','), (Strings{"a", "", "b"}));
    EXPECT_EQ(split("", ','), Strings{""});
    EXPECT_EQ(split(",", ','), (Strings{"", ""}));
    for (const std::string text : {"a,,b", "", ",", "abc", ",x"}) {
        EXPECT_EQ(join(split(text, ','), ","), text);
    }
    EXPECT_EQ(join(Strings{}, ","), "");
    EXPECT_EQ(join(Strings{"a", "b"}, " and "), "a and b");
}

TEST(GlobMatch, AStarStaysWithinADot) {
    EXPECT_TRUE(glob_match("layer*.conv1", "layer2.conv1"));
    EXPECT_FALSE(glob_match("layer*.conv1", "layer2.0.conv1"));
    EXPECT_TRUE(glob_match("layer**.conv1", "layer2.0.conv1"));
    EXPECT_TRUE(glob_match("**", "a.b.c"));
    EXPECT_TRUE(glob_match("*", ""));
    EXPECT_FALSE(glob_match("*", "a.b"));
    EXPECT_TRUE(glob_match("**.conv?", "a.b.conv1"));
    EXPECT_FALSE(glob_match("conv?", "conv"));
    EXPECT_FALSE(glob_match("a?b", "a.b"));
    EXPECT_TRUE(glob_match("", ""));
    EXPECT_FALSE(glob_match("", "a"));
    EXPECT_FALSE(glob_match("abc", "abcd"));
    EXPECT_FALSE(glob_match("abcd", "abc"));
}

TEST(GlobMatch, AnyOfSeveralPatternsIsEnoughAndNoneMatchesNothing) {
    const std::vector<std::string> patterns{"fc*", "layer?"};
    EXPECT_TRUE(glob_match_any(patterns, "layer2"));
    EXPECT_FALSE(glob_match_any(patterns, "layer2.0"));
    EXPECT_FALSE(glob_match_any({}, "layer2"));
}

TEST(GlobMatch, ManyStarsTakeNoExponentialTime) {
    std::string pattern;
    for (int i = 0; i < 60; ++i) pattern += "*a";
    EXPECT_FALSE(glob_match(pattern + "b", std::string(2000, 'a')));
}

TEST(HumanCount, ShowsThreeDigits) {
    EXPECT_EQ(human_count(0), "0");
    EXPECT_EQ(human_count(7), "7");
    EXPECT_EQ(human_count(999), "999");
    EXPECT_EQ(human_count(1234), "1.23 k");
    EXPECT_EQ(human_count(12345678), "12.3 M");
    EXPECT_EQ(human_count(999999), "1.00 M");
    EXPECT_EQ(human_count(999.7), "1.00 k");
    EXPECT_EQ(human_count(99960), "100 k");
    EXPECT_EQ(human_count(-1234), "-1.23 k");
    EXPECT_EQ(human_count(2.5e9), "2.50 G");
    EXPECT_EQ(human_count(std::nan("")), "nan");
    EXPECT_EQ(human_count(HUGE_VAL), "inf");
}

TEST(HumanSeconds, ChangesUnitWithSize) {
    EXPECT_EQ(human_seconds(0), "0s");
    EXPECT_EQ(human_seconds(2.5e-6), "2.5us");
    EXPECT_EQ(human_seconds(0.012), "12.0ms");
    EXPECT_EQ(human_seconds(0.9996), "1.0s");
    EXPECT_EQ(human_seconds(12.34), "12.3s");
    EXPECT_EQ(human_seconds(59.97), "1m00s");
    EXPECT_EQ(human_seconds(75.2), "1m15s");
    EXPECT_EQ(human_seconds(3599.6), "1h00m");
    EXPECT_EQ(human_seconds(7260), "2h01m");
    EXPECT_EQ(human_seconds(86400 * 3 + 3600 * 4), "3d04h");
    EXPECT_EQ(human_seconds(-75.2), "-1m15s");
    EXPECT_EQ(human_seconds(1e300).back(), 'h');
    EXPECT_EQ(human_seconds(HUGE_VAL), "infs");
}

}  // namespace
}  // namespace esper
