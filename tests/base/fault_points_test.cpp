#include "esper/base/fault_points.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

namespace esper {
namespace {

class FaultPointsTest : public ::testing::Test {
  protected:
    void TearDown() override { FaultPoints::disarm_all(); }

    std::vector<int> firing_passes(int passes) {
        std::vector<int> fired;
        for (int i = 1; i <= passes; ++i) {
            if (point.fires()) fired.push_back(i);
        }
        return fired;
    }

    FaultPoint point{"test.point"};
};

TEST_F(FaultPointsTest, NothingFiresUnlessArmed) {
    EXPECT_TRUE(firing_passes(1000).empty());
    EXPECT_EQ(FaultPoints::passes("test.point"), 0U);
    EXPECT_TRUE(point.check().has_value());
}

TEST_F(FaultPointsTest, FiresOnceAtThePassAskedFor) {
    ASSERT_TRUE(FaultPoints::arm("test.point@3"));
    EXPECT_EQ(firing_passes(6), std::vector<int>{3});
    EXPECT_EQ(FaultPoints::passes("test.point"), 6U);
    EXPECT_EQ(FaultPoints::fired("test.point"), 1U);
}

TEST_F(FaultPointsTest, FiresFromAPassOn) {
    ASSERT_TRUE(FaultPoints::arm("test.point@3+"));
    EXPECT_EQ(firing_passes(5), (std::vector<int>{3, 4, 5}));
}

TEST_F(FaultPointsTest, AChanceIsKeptAndComesFromTheSeed) {
    ASSERT_TRUE(FaultPoints::arm("test.point%25", 1));
    const auto first = firing_passes(4000);
    EXPECT_NEAR(static_cast<double>(first.size()), 1000, 120);
    ASSERT_TRUE(FaultPoints::arm("test.point%25", 1));
    EXPECT_EQ(firing_passes(4000), first);
    ASSERT_TRUE(FaultPoints::arm("test.point%25", 2));
    EXPECT_NE(firing_passes(4000), first);
    ASSERT_TRUE(FaultPoints::arm("test.point%0"));
    EXPECT_TRUE(firing_passes(100).empty());
    ASSERT_TRUE(FaultPoints::arm("test.point%100"));
    EXPECT_EQ(firing_passes(100).size(), 100U);
}

TEST_F(FaultPointsTest, SeveralPointsAreArmedIndependently) {
    FaultPoint other("test.other");
    ASSERT_TRUE(FaultPoints::arm("test.point@1,test.other@2"));
    EXPECT_TRUE(point.fires());
    EXPECT_FALSE(other.fires());
    EXPECT_TRUE(other.fires());
    ASSERT_TRUE(FaultPoints::arm("test.point@1"));
    EXPECT_TRUE(point.fires()) << "arming again starts counting again";
    EXPECT_EQ(FaultPoints::fired("test.other"), 1U) << "a point not named stays as it was";
}

TEST_F(FaultPointsTest, MayBeArmedBeforeThePointExists) {
    ASSERT_TRUE(FaultPoints::arm("test.later@1"));
    FaultPoint later("test.later");
    EXPECT_TRUE(later.fires());
}

TEST_F(FaultPointsTest, CheckSaysWhichPointFired) {
    ASSERT_TRUE(FaultPoints::arm("test.point@1"));
    const Status status = point.check();
    ASSERT_FALSE(status.has_value());
    EXPECT_TRUE(status.error().is(FaultError::kInjected));
    EXPECT_NE(status.error().message().find("test.point"), std::string::npos);
}

TEST_F(FaultPointsTest, ABadSpecArmsNothing) {
    for (const char* spec :
         {"", "test.point", "test.point@", "test.point@0", "test.point@-1", "test.point@x",
          "test.point@1x", "@1", "test.point%", "test.point%101", "test.point%-1", "test.point%nan",
          "test.point@1,", "test.point@1+,oops", "test.point@99999999999999999999"}) {
        const Status status = FaultPoints::arm(spec);
        ASSERT_FALSE(status.has_value()) << spec;
        EXPECT_TRUE(status.error().is(FaultError::kBadSpec)) << spec;
        EXPECT_FALSE(point.fires()) << spec;
    }
}

TEST_F(FaultPointsTest, TheEnvironmentArmsToo) {
    ::unsetenv("ESPER_FAULTS");
    ASSERT_TRUE(FaultPoints::arm_from_environment());
    EXPECT_FALSE(point.fires());
    ::setenv("ESPER_FAULTS", "test.point@1", 1);
    ASSERT_TRUE(FaultPoints::arm_from_environment());
    EXPECT_TRUE(point.fires());
    ::setenv("ESPER_FAULTS", "nosuch.point@3", 1);
    const Status unknown = FaultPoints::arm_from_environment();
    ASSERT_FALSE(unknown.has_value());
    EXPECT_NE(unknown.error().message().find("seed.throw"), std::string::npos);
    ::setenv("ESPER_FAULTS", "nonsense", 1);
    const Status status = FaultPoints::arm_from_environment();
    ::unsetenv("ESPER_FAULTS");
    ASSERT_FALSE(status.has_value());
    EXPECT_NE(status.error().message().find("ESPER_FAULTS"), std::string::npos);
}

TEST_F(FaultPointsTest, NamesListsWhatWasConstructed) {
    const auto names = FaultPoints::names();
    EXPECT_NE(std::find(names.begin(), names.end(), "test.point"), names.end());
    EXPECT_STREQ(point.name(), "test.point");
}

TEST_F(FaultPointsTest, ExactlyOneOfManyThreadsMeetsASingleFault) {
    ASSERT_TRUE(FaultPoints::arm("test.point@5000"));
    std::atomic<int> fired{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 2500; ++i) fired += point.fires() ? 1 : 0;
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(fired.load(), 1);
    EXPECT_EQ(FaultPoints::passes("test.point"), 10000U);
}

}  // namespace
}  // namespace esper
