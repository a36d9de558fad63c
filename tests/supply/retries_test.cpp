#include "esper/services/supply/retries.h"

#include <gtest/gtest.h>

#include <atomic>

#include "esper/services/urza/urza_error.h"

namespace esper::supply {
namespace {

using std::chrono::milliseconds;
using urza::UrzaError;

Error gone() { return fail(UrzaError::kUnreachable, "gone").value(); }

TEST(RetriesTest, AreMadeUntilOneSucceedsAndCanBeginAgain) {
    std::atomic<int> attempts = 0;
    Retries retries(
        [&]() -> Status {
            return ++attempts % 3 == 0 ? Status() : fail(UrzaError::kUnreachable, "still gone");
        },
        {milliseconds(1), milliseconds(4)});
    EXPECT_FALSE(retries.failing());
    for (int round = 1; round <= 2; ++round) {
        retries.begin(gone());
        EXPECT_TRUE(retries.failing());
        for (int i = 0; i < 2000 && retries.failing(); ++i)
            std::this_thread::sleep_for(milliseconds(2));
        EXPECT_FALSE(retries.failing());
        EXPECT_EQ(attempts, 3 * round);
    }
}

TEST(RetriesTest, EndWithTheirObjectHoweverLongThePause) {
    const auto begun = std::chrono::steady_clock::now();
    {
        Retries retries([] { return Status(); }, {milliseconds(60'000), milliseconds(60'000)});
        retries.begin(gone());
        EXPECT_EQ(retries.failing()->message(), "gone");
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begun, milliseconds(5'000));
}

}  // namespace
}  // namespace esper::supply
