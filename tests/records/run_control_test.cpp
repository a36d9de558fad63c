#include "esper/services/records/run_control.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/temporary_folder.h"

namespace esper::records {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& file, const std::string& text) { std::ofstream(file) << text; }

TEST(RunControl, RequestsArriveOnceAndInOrder) {
    const TemporaryFolder above;
    const auto run = above / "run";
    fs::create_directories(run);
    ASSERT_TRUE(leave_request(run, {ControlAction::kStop, "of an earlier process"}));
    ControlInbox inbox(run);
    EXPECT_TRUE(fs::is_empty(run / "control"));
    ASSERT_TRUE(leave_request(run, {ControlAction::kPauseGrowth, "the page"}));
    ASSERT_TRUE(leave_request(run, {ControlAction::kCheckpoint, "the page"}));
    inbox.put({ControlAction::kStop, "the terminal"});
    const auto requests = inbox.take();
    ASSERT_EQ(requests.size(), 3U);
    EXPECT_EQ(requests[0].action, ControlAction::kStop);
    EXPECT_EQ(requests[1].action, ControlAction::kPauseGrowth);
    EXPECT_EQ(requests[1].by, "the page");
    EXPECT_EQ(requests[2].action, ControlAction::kCheckpoint);
    EXPECT_TRUE(inbox.take().empty());
}

TEST(RunControl, WhatIsNoRequestOrNotTheOwnersIsPassedOver) {
    const TemporaryFolder above;
    const auto run = above / "run";
    fs::create_directories(run / "control");
    ::chmod((run / "control").c_str(), 0700);
    ControlInbox inbox(run);
    write(run / "control/1.json", "no JSON");
    write(run / "control/2.json", R"({"action":"delete everything","by":"a stranger"})");
    write(run / "control/3.json", std::string(5000, ' ') + R"({"action":"stop","by":"long"})");
    write(above / "4.json", R"({"action":"stop","by":"a link"})");
    fs::create_symlink(above / "4.json", run / "control/4.json");
    write(run / "control/5.json", R"({"action":"stop","by":"anybody"})");
    ::chmod((run / "control/5.json").c_str(), 0666);
    EXPECT_TRUE(inbox.take().empty());
    EXPECT_TRUE(fs::exists(above / "4.json"));
}

TEST(RunControl, AFolderThatOthersMayWriteIsNotListenedTo) {
    const TemporaryFolder above;
    const auto run = above / "run";
    fs::create_directories(run / "control");
    ::chmod((run / "control").c_str(), 0777);
    ControlInbox inbox(run);
    write(run / "control/1.json", R"({"action":"stop","by":"anybody"})");
    EXPECT_TRUE(inbox.take().empty());
    EXPECT_FALSE(leave_request(run, {ControlAction::kStop, "the page"}));
    fs::remove_all(run / "control");
    fs::create_directory_symlink(above / "run", run / "control");
    EXPECT_FALSE(leave_request(run, {ControlAction::kStop, "the page"}));
}

}  // namespace
}  // namespace esper::records
