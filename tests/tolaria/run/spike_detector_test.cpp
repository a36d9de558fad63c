#include "esper/services/tolaria/run/spike_detector.h"

#include <gtest/gtest.h>

#include "esper/base/declared_state.h"

namespace esper::tolaria {
namespace {

configs::RollbackConfig config() {
    configs::RollbackConfig c;
    c.spike_factor = 3;
    c.spike_window = 10;
    return c;
}

TEST(SpikeDetector, AJumpOfTheLossIsASpikeAndDoesNotMoveTheMean) {
    SpikeDetector detector(config());
    for (int i = 0; i < 20; ++i) EXPECT_FALSE(detector.take(1.0 + 0.01 * (i % 2)));
    const auto spike = detector.take(3.5);
    ASSERT_TRUE(spike);
    EXPECT_EQ(spike->loss, 3.5);
    EXPECT_NEAR(spike->mean, 1.005, 0.01);
    EXPECT_TRUE(detector.take(3.5));
    EXPECT_FALSE(detector.take(1.0));
}

TEST(SpikeDetector, SaysNothingBeforeItsWindowIsFull) {
    SpikeDetector detector(config());
    for (int i = 0; i < 9; ++i) EXPECT_FALSE(detector.take(1.0));
    EXPECT_FALSE(detector.take(50.0));
}

TEST(SpikeDetector, ALossThatIsAlwaysThatNoisyIsNoSpike) {
    auto noisy = config();
    noisy.spike_window = 50;
    SpikeDetector detector(noisy);
    for (int i = 0; i < 400; ++i) {
        const bool hard_batch = i % 8 == 7;
        EXPECT_FALSE(detector.take(hard_batch ? 0.06 : 0.01)) << i;
    }
}

TEST(SpikeDetector, GoesOnFromWhatItSavedAsIfItHadNeverStopped) {
    SpikeDetector one(config());
    for (int i = 0; i < 15; ++i) one.take(1.0 / (i + 1));
    SpikeDetector two(config());
    SpikeDetector::State state;
    ASSERT_EQ(saved::read(nlohmann::json::parse(saved::write(one.state()).dump()), state), "");
    two.restore(state);
    EXPECT_EQ(saved::write(one.state()), saved::write(two.state()));
    one.take(0.3);
    two.take(0.3);
    EXPECT_EQ(saved::write(one.state()), saved::write(two.state()));
}

}  // namespace
}  // namespace esper::tolaria
