#include "esper/services/nissa/run_times.h"

#include <gtest/gtest.h>

#include "nissa/files_of_a_run.h"

namespace esper::nissa {
namespace {

constexpr double kSecond = 1e9;

std::filesystem::path timed_run(const std::filesystem::path& folder) {
    make_run(folder);
    write(folder / "metrics.csv", "epoch,step,seconds\n1,10,2.5\n2,20,4.5\n");
    return folder;
}

TEST(RunTimes, CountBackFromTheLastEpoch) {
    const TemporaryFolder above;
    const auto times = value_or_throw(RunTimes::read(timed_run(above / "run")));
    EXPECT_FALSE(times.knows_events());
    const auto from_begin = [&](std::int64_t step) {
        return static_cast<double>(times.of_step(step) - times.after(0)) / kSecond;
    };
    EXPECT_NEAR(from_begin(0), 0, 1e-6);
    EXPECT_NEAR(from_begin(10), 2.5, 1e-6);
    EXPECT_NEAR(from_begin(15), 3.5, 1e-6);
    EXPECT_NEAR(from_begin(20), 4.5, 1e-6);
    EXPECT_NEAR(from_begin(99), 4.5, 1e-6);
    EXPECT_EQ(times.of_event(7, 10), times.of_step(10));
    EXPECT_EQ(times.fingerprint(), "1,10,2.5");
}

TEST(RunTimes, KnowWhenARunStoodStill) {
    const TemporaryFolder above;
    const auto run = timed_run(above / "run");
    // It was stopped after 3 seconds, a checkpoint of 2.5 seconds was resumed, twice.
    write(run / "sessions.csv", "0,1000000000\n2.5,50000000000\n2.5,90000000000\nx,1\n");
    const auto times = value_or_throw(RunTimes::read(run));
    EXPECT_EQ(times.of_step(0), 1'000'000'000);
    EXPECT_EQ(times.after(1.5), 2'500'000'000);
    EXPECT_EQ(times.of_step(10), 90'000'000'000);
    EXPECT_EQ(times.of_step(20), 92'000'000'000);
}

TEST(RunTimes, AreThoseOfTheEventsWhereTheRunNotedThem) {
    const TemporaryFolder above;
    const auto run = timed_run(above / "run");
    write(run / "event_times.csv", "0,1000\n90,2000\nrubbish\n-1,x\n180,");
    const auto times = value_or_throw(RunTimes::read(run));
    EXPECT_TRUE(times.knows_events());
    EXPECT_EQ(times.of_event(0, 10), 1000);
    EXPECT_EQ(times.of_event(90, 10), 2000);
    EXPECT_EQ(times.of_event(180, 10), times.of_step(10));
}

TEST(RunTimes, ARunWithoutAnEpochHasNone) {
    const TemporaryFolder above;
    const auto run = timed_run(above / "run");
    write(run / "metrics.csv", "epoch,step,seconds\n");
    EXPECT_FALSE(RunTimes::read(run));
    std::filesystem::remove(run / "metrics.csv");
    EXPECT_FALSE(RunTimes::read(run));
    std::filesystem::create_symlink("/etc/passwd", run / "event_times.csv");
    write(run / "metrics.csv", "epoch,step,seconds\n1,10,2.5\n");
    EXPECT_FALSE(RunTimes::read(run));  // a link is not followed
}

TEST(RunTimes, TheIdOfATraceFollowsFromTheRunAndTheSeed) {
    EXPECT_EQ(trace_id_of("1,10,2.5", "s1").size(), 32U);
    EXPECT_EQ(trace_id_of("1,10,2.5", "s1"), trace_id_of("1,10,2.5", "s1"));
    EXPECT_NE(trace_id_of("1,10,2.5", "s1"), trace_id_of("1,10,2.5", "s2"));
    EXPECT_NE(trace_id_of("1,10,2.5", "s1"), trace_id_of("1,10,2.6", "s1"));
}

}  // namespace
}  // namespace esper::nissa
