#include "esper/base/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <thread>

#include "base/temporary_folder.h"
#include "esper/base/fault_points.h"
#include "esper/base/own_file.h"

namespace esper {
namespace {

namespace fs = std::filesystem;

class FilesTest : public ::testing::Test {
  protected:
    void TearDown() override { FaultPoints::disarm_all(); }

    std::size_t files_in_folder() const {
        return static_cast<std::size_t>(
            std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator{}));
    }
    void put(const fs::path& path, std::string_view content) const {
        std::ofstream(path, std::ios::binary) << content;
    }

    TemporaryFolder folder;
};

TEST_F(FilesTest, ReadsBackWhatWasWritten) {
    using namespace std::string_view_literals;
    const auto content = "bytes \0 and\nlines"sv;
    ASSERT_TRUE(write_file_atomic(folder / "a", content));
    EXPECT_EQ(read_file(folder / "a").value(), content);
    ASSERT_TRUE(write_file_atomic(folder / "a", ""));
    EXPECT_EQ(read_file(folder / "a").value(), "");
    EXPECT_EQ(files_in_folder(), 1U) << "no temporary file may stay";
}

TEST_F(FilesTest, PiecesAreJoinedHoweverManyThereAre) {
    std::vector<std::string_view> pieces(3000, "xyz");
    pieces[7] = "";
    ASSERT_TRUE(write_file_atomic(folder / "a", pieces));
    EXPECT_EQ(read_file(folder / "a").value().size(), 2999U * 3);
    ASSERT_TRUE(write_file_atomic(folder / "b", std::span<const std::string_view>{}));
    EXPECT_EQ(read_file(folder / "b").value(), "");
}

TEST_F(FilesTest, ReadsFilesWhoseSizeTheKernelDoesNotSay) {
    EXPECT_FALSE(read_file("/proc/self/status").value().empty());
}

TEST_F(FilesTest, RefusesWhatItCannotRead) {
    EXPECT_TRUE(read_file(folder / "none").error().is(FileError::kNotFound));
    EXPECT_TRUE(read_file(folder.path()).error().is(FileError::kUnreadable));
    ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
    EXPECT_TRUE(read_file(folder / "pipe").error().is(FileError::kUnreadable));
    put(folder / "a", "12345");
    EXPECT_TRUE(read_file(folder / "a", 4).error().is(FileError::kTooLarge));
    EXPECT_TRUE(read_file(folder / "a", 5).has_value());
    EXPECT_TRUE(read_file("/proc/self/status", 3).error().is(FileError::kTooLarge));
    EXPECT_NE(read_file(folder / "none").error().message().find("none"), std::string::npos);
}

TEST_F(FilesTest, AnExistingFileKeepsItsPermissions) {
    put(folder / "secret", "old");
    ASSERT_EQ(::chmod((folder / "secret").c_str(), 0600), 0);
    ASSERT_TRUE(write_file_atomic(folder / "secret", "new"));
    struct stat info {};
    ASSERT_EQ(::stat((folder / "secret").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(FilesTest, ADeviceOrAPipeIsNotReplacedByAFile) {
    const auto pipe = folder.path() / "pipe";
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_TRUE(write_file_atomic(pipe, "text").error().is(FileError::kUnwritable));
    EXPECT_TRUE(fs::is_fifo(pipe));
    const auto link = folder.path() / "link";
    fs::create_symlink(pipe, link);
    EXPECT_TRUE(write_file_atomic(link, "text").error().is(FileError::kUnwritable));
    EXPECT_TRUE(fs::is_symlink(link));
    EXPECT_EQ(files_in_folder(), 2U);
}

TEST_F(FilesTest, AMissingFolderIsAnErrorNotACrash) {
    const Status status = write_file_atomic(folder / "no" / "file", "x");
    ASSERT_FALSE(status.has_value());
    EXPECT_TRUE(status.error().is(FileError::kUnwritable));
}

TEST_F(FilesTest, AFailedWriteLeavesTheOldContentAndNoRubbish) {
    ASSERT_TRUE(write_file_atomic(folder / "a", "old"));
    for (const char* fault : {"files.write@1", "files.sync@1", "files.rename@1"}) {
        FaultPoints::disarm_all();
        ASSERT_TRUE(FaultPoints::arm(fault));
        const Status status = write_file_atomic(folder / "a", "new content");
        ASSERT_FALSE(status.has_value()) << fault;
        EXPECT_TRUE(status.error().is(FileError::kUnwritable)) << fault;
        EXPECT_EQ(read_file(folder / "a").value(), "old") << fault;
        EXPECT_EQ(files_in_folder(), 1U) << fault;
    }
    FaultPoints::disarm_all();
    EXPECT_TRUE(write_file_atomic(folder / "a", "new content"));
    EXPECT_EQ(read_file(folder / "a").value(), "new content");
}

TEST_F(FilesTest, AFolderThatCannotBeSyncedIsReported) {
    ASSERT_TRUE(FaultPoints::arm("files.sync@2"));
    const Status status = write_file_atomic(folder / "a", "new");
    ASSERT_FALSE(status.has_value());
    EXPECT_NE(status.error().message().find("folder"), std::string::npos);
}

TEST_F(FilesTest, AReaderNeverSeesAMixture) {
    const std::string ones(100000, '1');
    const std::string twos(70000, '2');
    ASSERT_TRUE(write_file_atomic(folder / "a", ones));
    std::atomic<bool> stop{false};
    std::atomic<int> mixtures{0};
    std::atomic<int> reads{0};
    std::thread reader([&] {
        while (!stop) {
            const auto content = read_file(folder / "a");
            if (!content || (*content != ones && *content != twos)) ++mixtures;
            ++reads;
        }
    });
    for (int i = 0; i < 20 || reads < 20; ++i) {
        ASSERT_TRUE(write_file_atomic(folder / "a", i % 2 ? ones : twos));
    }
    stop = true;
    reader.join();
    EXPECT_EQ(mixtures.load(), 0);
}

TEST_F(FilesTest, WritersOfOneFileDoNotDisturbEachOther) {
    std::vector<std::thread> writers;
    std::atomic<int> failures{0};
    for (int t = 0; t < 4; ++t) {
        writers.emplace_back([&, t] {
            const std::string content(1000, static_cast<char>('a' + t));
            for (int i = 0; i < 10; ++i) {
                if (!write_file_atomic(folder / "a", content)) ++failures;
            }
        });
    }
    for (auto& writer : writers) writer.join();
    EXPECT_EQ(failures.load(), 0);
    const std::string content = read_file(folder / "a").value();
    EXPECT_EQ(content, std::string(1000, content.at(0)));
    EXPECT_EQ(files_in_folder(), 1U);
}

TEST_F(FilesTest, LinesAreAppendedAcrossOpenings) {
    {
        auto lines = LineAppender::open(folder / "log").value();
        ASSERT_TRUE(lines.append("one"));
        LineAppender moved = std::move(lines);
        ASSERT_TRUE(moved.append(""));
        ASSERT_TRUE(moved.sync());
        EXPECT_EQ(moved.size(), 5U);
    }
    auto lines = LineAppender::open(folder / "log").value();
    EXPECT_EQ(lines.size(), 5U);
    ASSERT_TRUE(lines.append("two"));
    EXPECT_EQ(read_file(folder / "log").value(), "one\n\ntwo\n");
    EXPECT_EQ(lines.size(), 9U);
}

TEST_F(FilesTest, AnAppenderMayBeAssigned) {
    auto first = LineAppender::open(folder / "1").value();
    auto second = LineAppender::open(folder / "2").value();
    first = std::move(second);
    ASSERT_TRUE(first.append("x"));
    EXPECT_EQ(read_file(folder / "2").value(), "x\n");
}

TEST_F(FilesTest, ATornLastLineSpoilsNoOther) {
    put(folder / "log", "whole\nto");
    auto lines = LineAppender::open(folder / "log").value();
    ASSERT_TRUE(lines.append("next"));
    ASSERT_TRUE(lines.append("last"));
    EXPECT_EQ(read_file(folder / "log").value(), "whole\nto\nnext\nlast\n");
    EXPECT_EQ(lines.size(), 19U);
}

TEST_F(FilesTest, AFailedAppendLeavesTheFileAsItWas) {
    auto lines = LineAppender::open(folder / "log").value();
    ASSERT_TRUE(lines.append("one"));
    ASSERT_TRUE(FaultPoints::arm("files.write@1"));
    const Status status = lines.append("a line of which only half arrives");
    ASSERT_FALSE(status.has_value());
    EXPECT_TRUE(status.error().is(FileError::kUnwritable));
    EXPECT_EQ(read_file(folder / "log").value(), "one\n");
    ASSERT_TRUE(lines.append("two"));
    EXPECT_EQ(read_file(folder / "log").value(), "one\ntwo\n");
    ASSERT_TRUE(FaultPoints::arm("files.sync@1"));
    EXPECT_TRUE(lines.sync().error().is(FileError::kUnwritable));
}

TEST_F(FilesTest, AnAppenderRefusesWhatIsNoLineAndWhatIsNoFile) {
    auto lines = LineAppender::open(folder / "log").value();
    EXPECT_TRUE(lines.append("a\nb").error().is(FileError::kBadArgument));
    EXPECT_EQ(lines.size(), 0U);
    EXPECT_TRUE(LineAppender::open(folder.path()).error().is(FileError::kUnwritable));
    EXPECT_TRUE(LineAppender::open("/dev/null").error().is(FileError::kUnwritable));
}

TEST_F(FilesTest, TruncationCutsButNeverGrows) {
    put(folder / "a", "0123456789");
    ASSERT_TRUE(truncate_file(folder / "a", 4));
    EXPECT_EQ(read_file(folder / "a").value(), "0123");
    EXPECT_TRUE(truncate_file(folder / "a", 4).has_value());
    EXPECT_TRUE(truncate_file(folder / "a", 5).error().is(FileError::kTruncated));
    EXPECT_TRUE(truncate_file(folder / "none", 0).error().is(FileError::kNotFound));
    EXPECT_TRUE(truncate_file(folder.path(), 0).error().is(FileError::kUnwritable));
    ASSERT_TRUE(FaultPoints::arm("files.sync@1"));
    EXPECT_TRUE(truncate_file(folder / "a", 2).error().is(FileError::kUnwritable));
}

TEST_F(FilesTest, AFileOfOurOwnIsNotReadThroughASymbolicLink) {
    put(folder / "real", "content");
    fs::create_symlink(folder / "real", folder / "link");
    EXPECT_EQ(*read_file(folder / "link"), "content");
    const auto refused = read_own_file(folder / "link");
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(OwnFileError::kSymbolicLink)) << refused.error().to_string();
    EXPECT_EQ(refused.error().exit_code(), 4);
    EXPECT_EQ(*read_own_file(folder / "real"), "content");
}

TEST_F(FilesTest, WhatIsWrittenOnOrCutBackIsNeverASymbolicLink) {
    put(folder / "real", "content\n");
    fs::create_symlink(folder / "real", folder / "link");
    fs::create_symlink(folder / "not there", folder / "dangling");
    const auto appender = LineAppender::open(folder / "link");
    ASSERT_FALSE(appender);
    EXPECT_TRUE(appender.error().is(OwnFileError::kSymbolicLink));
    EXPECT_FALSE(LineAppender::open(folder / "dangling"));
    EXPECT_FALSE(fs::exists(folder / "not there"));
    const auto cut = truncate_file(folder / "link", 3);
    ASSERT_FALSE(cut);
    EXPECT_TRUE(cut.error().is(OwnFileError::kSymbolicLink));
    EXPECT_EQ(*read_file(folder / "real"), "content\n");
}

}  // namespace
}  // namespace esper
