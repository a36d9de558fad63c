#include "esper/services/records/run_folder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;

struct RunFolderTest : testing::Test {
    fs::path path = fs::temp_directory_path() / ("esper-run-folder-" + std::to_string(::getpid()));
    RunFolderTest() { fs::remove_all(path); }
    ~RunFolderTest() override { fs::remove_all(path); }
    RunFolder begun() const {
        auto folder = value_or_throw(RunFolder::create(path));
        EXPECT_TRUE(folder.write_run_json({{"status", "running"}}));
        return folder;
    }
};

TEST_F(RunFolderTest, BelongsToOneTrainerAtATime) {
    {
        const auto mine = begun();
        const auto other = RunFolder::open(path);
        ASSERT_FALSE(other);
        EXPECT_TRUE(other.error().is(TolariaError::kFolderInUse)) << other.error().to_string();
        EXPECT_NE(other.error().message().find(std::to_string(::getpid())), std::string::npos)
            << other.error().message();
        EXPECT_EQ(value_or_throw(RunLock::holder(path)), ::getpid());
    }
    EXPECT_EQ(value_or_throw(RunLock::holder(path)), std::nullopt);
    EXPECT_TRUE(RunFolder::open(path));
}

TEST_F(RunFolderTest, ALockOfAnotherMachineIsNotTakenForOneOfOurs) {
    const auto mine = begun();
    std::ofstream(path / "lock") << "1 elsewhere\n";
    const auto holder = RunLock::holder(path);
    ASSERT_FALSE(holder);
    EXPECT_TRUE(holder.error().is(TolariaError::kFolderInUse)) << holder.error().to_string();
}

TEST_F(RunFolderTest, AStartThatWasCutShortIsSweptAwayByTheNext) {
    {
        auto folder = value_or_throw(RunFolder::create(path));
        ASSERT_TRUE(folder.event("precision", 0, 0, nlohmann::json::object()));
        std::ofstream(path / "journal.jsonl") << "half an ent";
        std::ofstream(path / "checkpoints" / "step-0.ckpt") << "half";
    }
    const auto resumed = RunFolder::open(path);
    ASSERT_FALSE(resumed);
    EXPECT_TRUE(resumed.error().is(TolariaError::kBadRunFolder));
    EXPECT_NE(resumed.error().message().find("esper train"), std::string::npos);
    const auto again = value_or_throw(RunFolder::create(path));
    EXPECT_EQ(again.lengths().at("events.jsonl"), 0U);
    EXPECT_FALSE(fs::exists(path / "journal.jsonl"));
    EXPECT_TRUE(fs::is_empty(path / "checkpoints"));
}

TEST_F(RunFolderTest, WhatAPersonPutInAFolderIsNotSweptAway) {
    fs::create_directories(path / "checkpoints");
    std::ofstream(path / "checkpoints" / "mine.ckpt") << "mine";
    ASSERT_TRUE(RunFolder::create(path));
    EXPECT_TRUE(fs::exists(path / "checkpoints" / "mine.ckpt"));
}

TEST_F(RunFolderTest, TemporariesOfAKilledProcessGoWhenTheRunIsOpened) {
    { const auto folder = begun(); }
    std::ofstream(path / ".esper-17-0.tmp") << "x";
    std::ofstream(path / "checkpoints" / ".esper-17-1.tmp") << "x";
    ASSERT_TRUE(RunFolder::open(path));
    EXPECT_FALSE(fs::exists(path / ".esper-17-0.tmp"));
    EXPECT_FALSE(fs::exists(path / "checkpoints" / ".esper-17-1.tmp"));
}

TEST_F(RunFolderTest, KeepsItsLockWhenItsFilesAreCutBack) {
    auto folder = begun();
    ASSERT_TRUE(folder.event("a", 1, 0, nlohmann::json::object()));
    const auto lengths = folder.lengths();
    ASSERT_TRUE(folder.event("b", 2, 0, nlohmann::json::object()));
    ASSERT_TRUE(folder.cut_back(lengths));
    EXPECT_EQ(folder.lengths(), lengths);
    EXPECT_FALSE(RunFolder::open(path));
    EXPECT_TRUE(folder.sync());
}

}  // namespace
}  // namespace esper::tolaria
