#include "esper/services/tolaria/data/stratified_split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace esper::tolaria {
namespace {

constexpr Split kShares{.train = 0.7, .probe = 0.1, .validation = 0.1, .test = 0.1};

std::vector<std::uint32_t> groups_of_sizes(std::initializer_list<std::uint32_t> sizes) {
    std::vector<std::uint32_t> groups;
    std::uint32_t group = 0;
    for (const auto size : sizes) groups.insert(groups.end(), size, group++);
    return groups;
}

std::uint32_t count_of(const std::vector<std::uint32_t>& rows,
                       const std::vector<std::uint32_t>& groups, std::uint32_t group) {
    return static_cast<std::uint32_t>(
        std::ranges::count_if(rows, [&](auto row) { return groups[row] == group; }));
}

TEST(StratifiedSplit, PartsAreDisjointAndHoldEverything) {
    const auto groups = groups_of_sizes({100, 37, 250, 3});
    const auto parts = split_rows(groups, kShares);
    ASSERT_TRUE(parts);
    std::set<std::uint32_t> seen;
    std::size_t all = 0;
    for (const auto& rows : *parts) {
        seen.insert(rows.begin(), rows.end());
        all += rows.size();
    }
    EXPECT_EQ(all, groups.size());
    EXPECT_EQ(seen.size(), groups.size());
}

TEST(StratifiedSplit, EachGroupIsDividedAsTheWholeIs) {
    const auto groups = groups_of_sizes({100, 200, 400});
    const auto parts = split_rows(groups, kShares);
    ASSERT_TRUE(parts);
    const double sizes[] = {100, 200, 400};
    for (std::uint32_t group = 0; group < 3; ++group)
        for (const Part part : {Part::kProbe, Part::kValidation, Part::kTest})
            EXPECT_NEAR(count_of((*parts)[static_cast<std::size_t>(part)], groups, group),
                        kShares.share(part) * sizes[group], 1);
}

TEST(StratifiedSplit, ManySmallGroupsDoNotRoundToNothing) {
    const std::vector<std::uint32_t> fours = [] {
        std::vector<std::uint32_t> groups;
        for (std::uint32_t g = 0; g < 100; ++g) groups.insert(groups.end(), 4, g);
        return groups;
    }();
    const auto parts = split_rows(fours, kShares);
    ASSERT_TRUE(parts);
    EXPECT_NEAR(static_cast<double>((*parts)[1].size()), 40, 1);
    for (std::uint32_t g = 0; g < 100; ++g) EXPECT_GE(count_of((*parts)[0], fours, g), 1U);
}

TEST(StratifiedSplit, TheSeedAloneDecidesWhichExamples) {
    const auto groups = groups_of_sizes({60, 60});
    Split other = kShares;
    other.seed = 1;
    EXPECT_EQ(*split_rows(groups, kShares), *split_rows(groups, kShares));
    EXPECT_NE(*split_rows(groups, kShares), *split_rows(groups, other));
}

TEST(StratifiedSplit, TrainIsNotInTheOrderOfItsClasses) {
    const auto groups = groups_of_sizes({500, 500});
    const auto parts = split_rows(groups, kShares);
    ASSERT_TRUE(parts);
    const std::vector<std::uint32_t> first((*parts)[0].begin(), (*parts)[0].begin() + 100);
    EXPECT_GT(count_of(first, groups, 1), 20U);
}

TEST(StratifiedSplit, TooFewExamplesAreRefused) {
    const auto parts = split_rows(groups_of_sizes({1, 1}), kShares);
    ASSERT_FALSE(parts);
    EXPECT_TRUE(parts.error().is(DataError::kTooSmall));
    EXPECT_TRUE(split_rows(groups_of_sizes({9}), kShares));
}

TEST(StratifiedSplit, TenthsAreByRank) {
    const std::vector<double> values{5, -3, 100, 1e9, 0, 7, 8, 9, 10, 11};
    EXPECT_EQ(tenths(values), (std::vector<std::uint32_t>{2, 0, 8, 9, 1, 3, 4, 5, 6, 7}));
}

}  // namespace
}  // namespace esper::tolaria
