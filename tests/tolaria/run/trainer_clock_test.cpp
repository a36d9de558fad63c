// A run whose time comes from a clock that stands still until it is moved.

#include "esper/base/clock.h"
#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;
using std::chrono::minutes;
using std::chrono::seconds;

configs::EsperConfig every_ten_minutes() {
    auto config = small();
    config.run.epochs = 8;
    config.checkpoint.every = configs::Duration::parse("10m").value();
    config.checkpoint.keep = 20;
    config.optimization.learning_rate = 1e-30;  // nothing moves: no epoch is the best but the first
    config.checkpoint.rollback.enabled = false;
    return config;
}

TEST(TrainerClock, CheckpointsComeWithTheMinutesOfTheClockThatItIsGiven) {
    Folder folder("minutes");
    ManualClock clock;
    auto trainer = value_or_throw(Trainer::create(every_ten_minutes(), folder.path, clock));
    trainer->on_progress([&](const Progress& p) {
        if (p.validation_loss) clock.advance(minutes(4));
    });
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    std::vector<std::int64_t> at_epochs;
    for (const auto& event : events_of(folder.path, "checkpoint"))
        if (event.at("kind") == "regular") at_epochs.push_back(event.at("epoch"));
    // Four minutes an epoch: three epochs after the last checkpoint ten minutes are over.
    ASSERT_GE(at_epochs.size(), 3U);
    for (std::size_t i = 2; i + 1 < at_epochs.size(); ++i)
        EXPECT_EQ(at_epochs[i] - at_epochs[i - 1], 3);
    EXPECT_DOUBLE_EQ(run_json(folder.path).at("wall_seconds"), 8 * 4 * 60.0);
}

TEST(TrainerClock, TimeThatStandsStillIsNoTime) {
    Folder folder("still");
    ManualClock clock;
    auto trainer = value_or_throw(Trainer::create(every_ten_minutes(), folder.path, clock));
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    EXPECT_EQ(run_json(folder.path).at("wall_seconds"), 0.0);
}

TEST(TrainerClock, SecondsOfARunAddUpOverAResume) {
    Folder folder("resumed");
    ManualClock clock;
    const auto config = small();
    {
        auto trainer = value_or_throw(Trainer::create(config, folder.path, clock));
        clock.advance(seconds(5));
        run_one_step(*trainer);
    }
    clock.advance(seconds(1000));  // nobody works
    auto trainer = value_or_throw(Trainer::resume(config, folder.path, clock));
    clock.advance(seconds(7));
    run_one_step(*trainer);
    EXPECT_DOUBLE_EQ(run_json(folder.path).at("wall_seconds"), 12.0);
}

}  // namespace
}  // namespace esper::tolaria
