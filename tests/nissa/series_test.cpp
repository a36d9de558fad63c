#include "esper/services/nissa/series.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace esper::nissa {
namespace {

Series series_of(const std::string& lines) {
    Series series;
    EXPECT_TRUE(series.add(lines, 0));
    return series;
}

/// `rows` rows of step = 1, 2, … and loss = 1000 − step, but for row 5,000, whose loss is −7.
std::string long_run(std::size_t rows) {
    std::string lines = "step,loss\n";
    for (std::size_t i = 1; i <= rows; ++i)
        lines +=
            fmt::format("{},{}\n", i, i == 5000 ? -7.0 : 1000.0 - static_cast<double>(i) / 100);
    return lines;
}

TEST(SeriesTest, AShortRunIsKeptExactly) {
    const auto series = series_of("step,loss\n10,2.5\n20,\n30,nan\n40,1.25\n");
    EXPECT_EQ(series.rows(), 4u);
    EXPECT_EQ(series.rows_per_bucket(), 1u);
    const auto range = series.range(0, {}, {});
    EXPECT_EQ(series.curve(0, range, 100).mean, (std::vector<double>{10, 20, 30, 40}));
    const auto loss = series.curve(1, range, 100).mean;
    EXPECT_EQ(loss[0], 2.5);
    EXPECT_TRUE(std::isnan(loss[1]));
    EXPECT_TRUE(std::isnan(loss[2]));
    EXPECT_EQ(loss[3], 1.25);
    EXPECT_EQ(series.least(1), 1.25);
    EXPECT_EQ(series.last()[1], 1.25);
}

TEST(SeriesTest, ALongRunTakesNoMoreMemoryAndLosesNoExtreme) {
    const auto series = series_of(long_run(100'000));
    EXPECT_EQ(series.rows(), 100'000u);
    EXPECT_EQ(series.rows_per_bucket(), 32u);
    EXPECT_LT(series.memory(), 600'000u);
    const auto range = series.range(0, {}, {});
    const auto loss = series.curve(1, range, 1000);
    EXPECT_LE(loss.mean.size(), 1000u);
    EXPECT_GE(loss.mean.size(), 500u);
    EXPECT_EQ(*std::ranges::min_element(loss.low), -7);
    EXPECT_EQ(*std::ranges::max_element(loss.high), 999.99);
    for (std::size_t i = 0; i < loss.mean.size(); ++i) {
        EXPECT_LE(loss.low[i], loss.mean[i]);
        EXPECT_LE(loss.mean[i], loss.high[i]);
    }
    EXPECT_EQ(series.curve(0, range, 1000).high.back(), 100'000);
}

TEST(SeriesTest, TheMeanOfABucketIsThatOfItsRows) {
    std::string lines = "step,loss\n";
    for (int i = 0; i < 8192; ++i) lines += fmt::format("{},{}\n", i, i % 4 == 0 ? "" : "3");
    const auto series = series_of(lines + "8192,3\n");
    EXPECT_EQ(series.rows_per_bucket(), 4u);
    const auto curve = series.curve(1, series.range(0, {}, {}), 4096);
    for (const double mean : curve.mean) EXPECT_EQ(mean, 3);
}

TEST(SeriesTest, AStretchOfXIsFoundWithOneNeighbourOnEachSide) {
    const auto series = series_of("step,loss\n10,1\n20,2\n30,3\n40,4\n50,5\n");
    const auto x = [&](std::optional<double> from, std::optional<double> to) {
        return series.curve(0, series.range(0, from, to), 100).mean;
    };
    EXPECT_EQ(x(25, 35), (std::vector<double>{20, 30, 40}));
    EXPECT_EQ(x(30, {}), (std::vector<double>{20, 30, 40, 50}));
    EXPECT_EQ(x({}, 20), (std::vector<double>{10, 20, 30}));
    EXPECT_EQ(x(90, 99).size(), 1u);
}

TEST(SeriesTest, TheRowsOfAStretchAreFoundInTheFile) {
    const auto text = long_run(20'000);
    const auto series = series_of(text);
    const auto bytes = series.bytes_of(series.range(0, 4990, 5010));
    const auto part = text.substr(bytes.begin, bytes.end - bytes.begin);
    EXPECT_NE(part.find("\n5000,-7\n"), std::string::npos);
    EXPECT_LT(part.size(), 2000u);
    EXPECT_EQ(part.back(), '\n');
    const auto all = series.bytes_of(series.range(0, {}, {}));
    EXPECT_EQ(text.substr(all.begin, all.end - all.begin), text.substr(text.find('\n') + 1));
}

TEST(SeriesTest, RowsMayComeInAnyPieces) {
    const auto text = long_run(9000);
    const auto whole = series_of(text);
    Series pieces;
    std::size_t at = 0;
    while (at < text.size()) {
        const auto end = text.find('\n', std::min(at + 37, text.size() - 1)) + 1;
        ASSERT_TRUE(pieces.add(std::string_view(text).substr(at, end - at), at));
        at = end;
    }
    const auto range = whole.range(0, {}, {});
    EXPECT_EQ(pieces.curve(1, range, 500).low, whole.curve(1, range, 500).low);
    EXPECT_EQ(pieces.bytes_of(range).end, whole.bytes_of(range).end);
}

TEST(SeriesTest, DamagedLinesAreCountedAndPassedOver) {
    const auto series = series_of("step,loss\n1,2\n2\n3,4,5\n4,x\n5,1e999\n6,<b>\n\n7,3\n");
    EXPECT_EQ(series.rows(), 3u);  // 1e999 is not finite, and so nothing
    EXPECT_EQ(series.damaged_lines(), 5u);
}

TEST(SeriesTest, AFirstLineWithTooManyColumnsIsRefused) {
    Series series;
    const auto added = series.add(std::string(600, ',') + "\n", 0);
    ASSERT_FALSE(added);
    EXPECT_TRUE(added.error().is(NissaError::kDamagedFile));
}

}  // namespace
}  // namespace esper::nissa
