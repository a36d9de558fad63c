#include "esper/configs/budget.h"

#include <gtest/gtest.h>

namespace esper::configs {
namespace {

TEST(Budget, ReadsFlopsAndTimes) {
    EXPECT_EQ(Budget::parse("3e12"), (Budget{3e12, Budget::Of::kFlops}));
    EXPECT_EQ(Budget::parse("1500"), (Budget{1500, Budget::Of::kFlops}));
    EXPECT_EQ(Budget::parse("30m"), (Budget{1800, Budget::Of::kSeconds}));
    EXPECT_EQ(Budget::parse(""), Budget{});
    EXPECT_FALSE(Budget::parse("")->is_set());
}

TEST(Budget, RefusesWhatIsNeither) {
    for (const auto* text :
         {"0", "-3e12", "20ep", "5%", "0s", "nan", "inf", "much", "3e12 ", "1e999"})
        EXPECT_FALSE(Budget::parse(text).has_value()) << text;
}

TEST(Budget, ItsTextReadsBackAsTheSame) {
    for (const auto* text : {"3e12", "1.5e12", "123456789012", "7", "1e18", "0.5", "90s", "30m"}) {
        const auto budget = Budget::parse(text).value();
        EXPECT_EQ(Budget::parse(budget.to_string()), budget) << text << " " << budget.to_string();
    }
    EXPECT_EQ(Budget::parse("1500000000000")->to_string(), "1.5e12");
    EXPECT_EQ(Budget::parse("30m")->to_string(), "1800s");
    EXPECT_EQ(Budget{}.to_string(), "");
}

TEST(Budget, PeopleReadItInItsOwnUnit) {
    EXPECT_EQ(Budget::parse("1.5e12")->in_words(), "1.50 T FLOPs");
    EXPECT_EQ(Budget::parse("1.5e12")->in_words(2e9), "2.00 G FLOPs");
    EXPECT_EQ(Budget::parse("30m")->in_words(), "30m00s");
    EXPECT_EQ(Budget{}.in_words(), "no budget");
}

}  // namespace
}  // namespace esper::configs
