#include "esper/services/nissa/run_index.h"

#include <gtest/gtest.h>

#include "nissa/files_of_a_run.h"

namespace esper::nissa {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> ids_of(const RunIndex& index) {
    std::vector<std::string> ids;
    for (const auto& run : index.runs()) ids.push_back(run->id());
    return ids;
}

TEST(RunIndexTest, RunsAreFoundAtAnyDepthUnderTheirPath) {
    const TemporaryFolder above;
    make_run(above / "a");
    make_run(above / "sweep/lr=0.1");
    make_run(above / "sweep/lr=0.1/finish/half");
    make_run(above / "sweep/lr=0.1/checkpoints/no");
    make_run(above / ".trash/old");
    fs::create_directories(above / "empty");
    RunIndex index({above.path()});
    EXPECT_EQ(index.scan().come.size(), 3u);
    EXPECT_EQ(ids_of(index),
              (std::vector<std::string>{"a", "sweep/lr=0.1", "sweep/lr=0.1/finish/half"}));
    EXPECT_TRUE(index.scan().come.empty());
}

TEST(RunIndexTest, ARootMayBeARunAndIdsAreUnique) {
    const TemporaryFolder above;
    make_run(above / "one/run");
    make_run(above / "two/run");
    RunIndex index({above / "one/run", above / "two", above / "one/run/"});
    index.scan();
    EXPECT_EQ(ids_of(index), (std::vector<std::string>{"run", "run~2"}));
    EXPECT_EQ((*index.find("run~2"))->folder(), above / "two/run");
}

TEST(RunIndexTest, RunsThatComeAndGoAreTold) {
    const TemporaryFolder above;
    RunIndex index({above.path()});
    EXPECT_TRUE(index.scan().come.empty());
    make_run(above / "a");
    EXPECT_EQ(index.scan().come.at(0)->id(), "a");
    const auto held = *index.find("a");
    fs::remove_all(above / "a");
    EXPECT_EQ(index.scan().gone, (std::vector<std::string>{"a"}));
    const auto gone = index.find("a");
    ASSERT_FALSE(gone);
    EXPECT_TRUE(gone.error().is(NissaError::kNoSuchRun));
    // Whoever still holds it finds nothing, and nothing breaks.
    held->refresh(0);
    EXPECT_NE(held->row().find("unreadable"), std::string::npos);
    EXPECT_TRUE(held->curves({.metrics = {"x"}}));
}

TEST(RunIndexTest, ARunWhoseRecordIsALinkIsListedAndNotRead) {
    const TemporaryFolder above;
    make_run(above / "a");
    write(above / "secret", R"({"status":"done","name":"secret"})");
    fs::remove(above / "a/run.json");
    fs::create_symlink(above / "secret", above / "a/run.json");
    RunIndex index({above.path()});
    const auto run = index.scan().come.at(0);
    run->refresh(0);
    EXPECT_NE(run->row().find("unreadable"), std::string::npos);
    EXPECT_NE(run->row().find("symbolic link"), std::string::npos);
    EXPECT_EQ(run->row().find("secret"), std::string::npos);
}

TEST(RunIndexTest, AnIdCanStandInAnAddress) {
    const TemporaryFolder above;
    make_run(above / "two\nlines");
    RunIndex index({above.path()});
    EXPECT_EQ(index.scan().come.at(0)->id(), "two\\x0alines");
}

TEST(RunIndexTest, FoldersThatAreLinksAreNotEntered) {
    const TemporaryFolder above, elsewhere;
    make_run(elsewhere / "secret");
    fs::create_directory_symlink(elsewhere.path(), above / "link");
    fs::create_directory_symlink(above.path(), above / "circle");
    RunIndex index({above.path()});
    EXPECT_TRUE(index.scan().come.empty());
    RunIndex named({above / "link"});
    EXPECT_EQ(named.scan().come.size(), 1u);
}

TEST(RunIndexTest, WhatWasNotAskedForLongestIsForgottenFirst) {
    const TemporaryFolder above;
    for (const auto* name : {"a", "b", "c"}) make_run(above / name);
    RunIndex index({above.path()});
    index.scan();
    for (const auto* name : {"b", "a", "c"})
        ASSERT_TRUE((*index.find(name))->curves({.metrics = {"val_loss"}}));
    const auto one = (*index.find("a"))->memory();
    ASSERT_GT(one, 0u);
    index.trim(2 * one + one / 2);
    EXPECT_EQ((*index.find("b"))->memory(), 0u);
    EXPECT_GT((*index.find("a"))->memory(), 0u);
    EXPECT_GT((*index.find("c"))->memory(), 0u);
}

}  // namespace
}  // namespace esper::nissa
