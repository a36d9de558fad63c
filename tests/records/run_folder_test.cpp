#include "esper/services/records/run_folder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/temporary_folder.h"
#include "esper/base/own_file.h"
#include "esper/services/records/new_run_folder.h"
#include "esper/services/records/run_files.h"

namespace esper::records {
namespace {

namespace fs = std::filesystem;

const nlohmann::json kRejected{
    {"anchor", "h0"}, {"blueprint", "mlp_adapter"}, {"reason", "it does not help"}};

struct RunFolderTest : testing::Test {
    const TemporaryFolder above;
    const fs::path path = above / "run";
    RunFolder begun_elsewhere() const { return value_or_throw(RunFolder::create(above / "other")); }
    RunFolder begun() const {
        auto folder = value_or_throw(RunFolder::create(path));
        EXPECT_TRUE(folder.write_run_json({{"status", "running"}, {"name", "a"}}));
        return folder;
    }
};

TEST_F(RunFolderTest, BelongsToOneTrainerAtATime) {
    {
        const auto mine = begun();
        const auto other = RunFolder::open(path);
        ASSERT_FALSE(other);
        EXPECT_TRUE(other.error().is(RecordsError::kFolderInUse)) << other.error().to_string();
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
    EXPECT_TRUE(holder.error().is(RecordsError::kFolderInUse)) << holder.error().to_string();
}

TEST_F(RunFolderTest, ANumberThatIsNoProcessIsNotTakenForTheHolder) {
    const auto mine = begun();
    std::array<char, 256> host{};
    ASSERT_EQ(::gethostname(host.data(), host.size() - 1), 0);
    const std::string here = std::string(" ") + host.data() + "\n";
    std::ofstream(path / "lock") << ::getpid() << here;
    EXPECT_EQ(value_or_throw(RunLock::holder(path)), ::getpid());
    EXPECT_EQ(RunLock::process_here(path), ::getpid());
    for (const char* number : {"0", "-1"}) {  // kill(2) would take them for groups of processes
        std::ofstream(path / "lock") << number << here;
        const auto holder = RunLock::holder(path);
        ASSERT_FALSE(holder) << number;
        EXPECT_TRUE(holder.error().is(RecordsError::kFolderInUse)) << holder.error().to_string();
        EXPECT_EQ(RunLock::process_here(path), std::nullopt);
    }
}

TEST_F(RunFolderTest, ALockThatNoTrainerWroteIsNobodys) {
    fs::create_directories(path);
    EXPECT_FALSE(RunLock::is_left_behind(path));
    const auto says = [&](const std::string& text) {
        std::ofstream(path / "lock") << text;
        return RunLock::is_left_behind(path);
    };
    EXPECT_FALSE(says(""));  // about to be written
    EXPECT_FALSE(says("1 elsewhere\n"));
    EXPECT_TRUE(says("rubbish\n"));
    EXPECT_TRUE(says("-3 here\n"));
    EXPECT_EQ(RunLock::process_here(path), std::nullopt);
    fs::remove(path / "lock");
    fs::create_symlink("/etc/hostname", path / "lock");
    EXPECT_TRUE(RunLock::is_left_behind(path));
}

TEST_F(RunFolderTest, AFolderThatWasMovedIsNotMadeAgain) {
    auto folder = begun();
    EXPECT_TRUE(folder.check_is_there());
    fs::remove(path / "lock");  // taken for one that is left behind
    EXPECT_TRUE(folder.check_is_there());
    fs::rename(path, above / "elsewhere");
    for (const auto& done : {folder.check_is_there(), folder.metrics({{"epoch", 1}}),
                             folder.write_run_json({{"status", "running"}})}) {
        ASSERT_FALSE(done);
        EXPECT_TRUE(done.error().is(RecordsError::kFolderGone)) << done.error().to_string();
    }
    EXPECT_FALSE(fs::exists(path));
    const auto another = value_or_throw(RunFolder::create(path));
    EXPECT_FALSE(folder.check_is_there());
}

TEST_F(RunFolderTest, AStartThatWasCutShortIsSweptAwayByTheNext) {
    // As a process leaves it that is killed.
    fs::create_directories(path / "checkpoints");
    std::ofstream(path / "lock") << "1 here\n";
    std::ofstream(path / "events.jsonl") << "{}\n";
    std::ofstream(path / "journal.jsonl") << "half an ent";
    std::ofstream(path / "checkpoints" / "step-0.ckpt") << "half";
    const auto resumed = RunFolder::open(path);
    ASSERT_FALSE(resumed);
    EXPECT_TRUE(resumed.error().is(RecordsError::kBadRunFolder));
    EXPECT_NE(resumed.error().message().find("esper train"), std::string::npos);
    const auto again = value_or_throw(RunFolder::create(path));
    EXPECT_EQ(again.lengths().at("events.jsonl"), 0U);
    EXPECT_FALSE(fs::exists(path / "journal.jsonl"));
    EXPECT_TRUE(fs::is_empty(path / "checkpoints"));
}

TEST_F(RunFolderTest, AFolderThatHoldsOtherThingsIsRefused) {
    fs::create_directories(path);
    std::ofstream(path / "thesis.tex") << "mine";
    const auto refused = RunFolder::create(path);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(RecordsError::kBadRunFolder));
    EXPECT_NE(refused.error().message().find("thesis.tex"), std::string::npos);
    EXPECT_EQ(std::distance(fs::directory_iterator(path), fs::directory_iterator()), 1);
}

TEST_F(RunFolderTest, AnEmptyFolderOfAPersonsIsTaken) {
    fs::create_directories(path);
    EXPECT_TRUE(RunFolder::create(path));
}

TEST_F(RunFolderTest, AStartThatIsGivenUpTakesAwayWhatItMade) {
    const auto inner = path / "a" / "b";
    {
        auto folder = value_or_throw(RunFolder::create(inner));
        ASSERT_TRUE(folder.event("rejected", 0, 0, kRejected));
        std::ofstream(inner / "journal.jsonl") << "half an ent";
        auto moved = std::move(folder);
        ASSERT_TRUE(fs::exists(inner / "events.jsonl"));
    }
    EXPECT_FALSE(fs::exists(path));
}

TEST_F(RunFolderTest, AStartThatIsGivenUpLeavesWhatWasThere) {
    fs::create_directories(path);
    {
        const auto folder = value_or_throw(RunFolder::create(path / "run"));
        std::ofstream(path / "run" / "notes.txt") << "mine";
    }
    EXPECT_TRUE(fs::exists(path / "run" / "notes.txt"));
    EXPECT_FALSE(fs::exists(path / "run" / "events.jsonl"));
}

TEST_F(RunFolderTest, ARunStays) {
    { const auto folder = begun(); }
    EXPECT_TRUE(fs::exists(path / "run.json"));
    EXPECT_TRUE(fs::exists(path / "events.jsonl"));
}

TEST_F(RunFolderTest, AFileThatIsALinkIsNotFollowed) {
    { const auto folder = begun(); }
    std::ofstream(path / "journal.jsonl") << "x";
    std::ofstream(path / "config.yaml") << "x";
    const auto victim = path.string() + "-victim";
    for (const auto* name :
         {"events.jsonl", "metrics.csv", "journal.jsonl", "config.yaml", "lock", "checkpoints"}) {
        fs::rename(path / name, path / "aside");
        std::ofstream(victim) << "SECRET";
        fs::create_symlink(victim, path / name);
        const auto opened = RunFolder::open(path);
        ASSERT_FALSE(opened) << name;
        EXPECT_TRUE(opened.error().is(OwnFileError::kSymbolicLink)) << opened.error().to_string();
        EXPECT_NE(opened.error().message().find(name), std::string::npos);
        EXPECT_FALSE(check_run_folder(path));
        EXPECT_EQ(value_or_throw(read_file(victim)), "SECRET");
        fs::remove(path / name);
        fs::rename(path / "aside", path / name);
    }
    EXPECT_TRUE(RunFolder::open(path));
    fs::remove(victim);
}

TEST_F(RunFolderTest, ACheckpointThatIsALinkIsNotFollowed) {
    { const auto folder = begun(); }
    fs::create_symlink("/etc/hostname", path / "checkpoints" / "step-4.ckpt");
    ASSERT_FALSE(RunFolder::open(path));
}

TEST_F(RunFolderTest, AnEventThatTheSchemaDoesNotKnowIsNotWritten) {
    auto folder = begun();
    const auto unknown = folder.event("decison", 1, 0, nlohmann::json::object());
    ASSERT_FALSE(unknown);
    EXPECT_TRUE(unknown.error().is(RecordsError::kBadRecord));
    EXPECT_NE(unknown.error().message().find("decision"), std::string::npos);
    EXPECT_EQ(folder.lengths().at("events.jsonl"), 0U);
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
    ASSERT_TRUE(folder.event("rejected", 1, 0, kRejected));
    const auto lengths = folder.lengths();
    ASSERT_TRUE(folder.event("rejected", 2, 0, kRejected));
    ASSERT_TRUE(folder.cut_back(lengths));
    EXPECT_EQ(folder.lengths(), lengths);
    EXPECT_FALSE(RunFolder::open(path));
    EXPECT_TRUE(folder.sync());
}

TEST_F(RunFolderTest, ARunGoesOnWithTheColumnsThatItsMetricsHave) {
    {
        auto folder = begun();
        ASSERT_TRUE(folder.metrics({{"epoch", 1}, {"step", 10}, {"old", 3}}));
    }
    {
        auto folder = value_or_throw(RunFolder::open(path));
        ASSERT_TRUE(folder.metrics({{"epoch", 2}, {"step", 20}, {"seconds", 1.5}}));
    }
    EXPECT_EQ(value_or_throw(read_file(path / "metrics.csv")), "epoch,step,old\n1,10,3\n2,20,\n");
}

TEST_F(RunFolderTest, TriesAPlaceAndLeavesNothingThere) {
    EXPECT_TRUE(try_new_run_folder(path / "a" / "b"));
    EXPECT_FALSE(fs::exists(path));
    const auto mine = begun();
    const auto taken = try_new_run_folder(path);
    ASSERT_FALSE(taken);
    EXPECT_TRUE(taken.error().is(RecordsError::kBadRunFolder));
    fs::create_directories(above / "empty");
    EXPECT_TRUE(try_new_run_folder(above / "empty"));
}

TEST_F(RunFolderTest, APathThatCannotBeAFolderWasBadlyChosen) {
    std::ofstream(above / "file") << "x";
    for (const auto& bad : {above / "file" / "run", above / std::string(400, 'x')}) {
        const auto made = RunFolder::create(bad);
        ASSERT_FALSE(made) << bad;
        EXPECT_TRUE(made.error().is(RecordsError::kBadRunFolder)) << made.error().to_string();
    }
}

TEST_F(RunFolderTest, AFolderThatIsBeingBegunByAnotherIsInUse) {
    const auto mine = value_or_throw(RunFolder::create(path));
    const auto other = try_new_run_folder(path);
    ASSERT_FALSE(other);
    EXPECT_TRUE(other.error().is(RecordsError::kFolderInUse)) << other.error().to_string();
}

TEST_F(RunFolderTest, TheNextFreeNumberIsTaken) {
    fs::create_directories(above / "a-1");
    fs::create_directories(above / "a-3");
    EXPECT_EQ(RunFolder::next_free(above.path(), "a"), above / "a-2");
}

TEST_F(RunFolderTest, TimesOfEventsAreCutBackWithThem) {
    auto folder = begun();
    ASSERT_TRUE(folder.note_times());
    int heard = 0;
    folder.on_event([&](const nlohmann::json&) { ++heard; });
    ASSERT_TRUE(folder.event("rejected", 1, 0, kRejected));
    const auto lengths = folder.lengths();
    EXPECT_GT(lengths.at("event_times.csv"), 0U);
    ASSERT_TRUE(folder.event("rejected", 2, 0, kRejected));
    ASSERT_TRUE(folder.cut_back(lengths));
    EXPECT_EQ(folder.lengths(), lengths);
    EXPECT_EQ(heard, 2);
    auto moved = begun_elsewhere();
    moved = std::move(folder);
    EXPECT_EQ(moved.path(), path);
    EXPECT_EQ(moved.lengths(), lengths);
}

TEST_F(RunFolderTest, ANameThatIsNoUtf8DoesNotKeepARunFromBeingWritten) {
    auto folder = begun();
    ASSERT_TRUE(folder.write_run_json({{"status", "running"}, {"name", "gr\xfcn"}}));
    EXPECT_EQ(value_or_throw(folder.read_run_json())["name"], "gr\xef\xbf\xbdn");
}

TEST_F(RunFolderTest, SessionsAreNoted) {
    const auto folder_is = [&] { return value_or_throw(read_file(path / "sessions.csv")); };
    auto folder = begun();
    ASSERT_TRUE(folder.note_session(0));
    ASSERT_TRUE(folder.note_session(12.5));
    EXPECT_NE(folder_is().find("\n12.5,"), std::string::npos) << folder_is();
    EXPECT_EQ(value_or_throw(folder.read_run_json())["name"], "a");
}

}  // namespace
}  // namespace esper::records
