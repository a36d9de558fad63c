#include "esper/configs/parameter_group.h"

#include <gtest/gtest.h>

namespace esper::configs {
namespace {

TEST(ParameterGroup, ReadsAPatternAndWhatIsOtherForIt) {
    const auto group = ParameterGroup::parse("  blocks.*.ln?.**  rate=0.1 weight_decay=0 ");
    ASSERT_TRUE(group);
    EXPECT_EQ(group->pattern, "blocks.*.ln?.**");
    EXPECT_EQ(group->rate, 0.1);
    EXPECT_EQ(group->weight_decay, 0.0);
    EXPECT_EQ(ParameterGroup::parse("head.* rate=0")->weight_decay, std::nullopt);
    EXPECT_EQ(ParameterGroup::parse("head.* weight_decay=1e-2")->rate, 1);
}

TEST(ParameterGroup, AnythingElseIsNone) {
    for (const char* text : {"", "head.*", "rate=1", "head.* rate",
                             "head.* rate=", "head.* rate=-1", "head.* rate=inf", "head.* speed=2",
                             "head.* rate=1 rate=2", "he/ad rate=1", "head.* weight_decay=nan"})
        EXPECT_FALSE(ParameterGroup::parse(text)) << text;
}

}  // namespace
}  // namespace esper::configs
