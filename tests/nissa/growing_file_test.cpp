#include "esper/services/nissa/growing_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "nissa/files_of_a_run.h"

namespace esper::nissa {
namespace {

struct GrowingFileTest : testing::Test {
    const TemporaryFolder folder;
    const std::filesystem::path path = folder / "lines";
    GrowingFile file{path};
    GrowingFile::News next(std::size_t most = 1000) { return value_or_throw(file.read(most)); }
};

TEST_F(GrowingFileTest, OnlyWholeLinesAreReadAndOnlyOnce) {
    EXPECT_EQ(next().lines, "");
    write(path, "one\ntw");
    EXPECT_TRUE(file.has_changed());
    EXPECT_EQ(next().lines, "one\n");
    EXPECT_FALSE(file.has_changed());
    append(path, "o\nthree\n");
    const auto news = next();
    EXPECT_EQ(news.lines, "two\nthree\n");
    EXPECT_EQ(news.at, 4u);
    EXPECT_FALSE(news.again);
    EXPECT_EQ(next().lines, "");
}

TEST_F(GrowingFileTest, ALongFileIsReadInPieces) {
    write(path, "aaaa\nbbbb\ncccc\n");
    auto news = next(7);
    EXPECT_EQ(news.lines, "aaaa\n");
    EXPECT_TRUE(news.more);
    news = next(100);
    EXPECT_EQ(news.lines, "bbbb\ncccc\n");
    EXPECT_FALSE(news.more);
}

TEST_F(GrowingFileTest, AFileThatWasCutBackIsReadAgain) {
    write(path, "one\ntwo\nthree\n");
    next();
    std::filesystem::resize_file(path, 4);
    const auto news = next();
    EXPECT_TRUE(news.again);
    EXPECT_EQ(news.lines, "one\n");
}

// A run that went back to a checkpoint writes on, and may be longer than before at the next look.
TEST_F(GrowingFileTest, AFileThatWasCutBackAndGrewPastTheOldEndIsReadAgain) {
    write(path, "one\ntwo\n");
    next();
    std::filesystem::resize_file(path, 4);
    append(path, "TWO\nthree\n");
    const auto news = next();
    EXPECT_TRUE(news.again);
    EXPECT_EQ(news.lines, "one\nTWO\nthree\n");
}

TEST_F(GrowingFileTest, AFileThatWasReplacedOrRemovedIsReadAgain) {
    write(path, "one\n");
    next();
    write(folder / "other", "one\ntwo\n");
    std::filesystem::rename(folder / "other", path);
    auto news = next();
    EXPECT_TRUE(news.again);
    EXPECT_EQ(news.lines, "one\ntwo\n");
    std::filesystem::remove(path);
    news = next();
    EXPECT_TRUE(news.again);
    EXPECT_EQ(news.lines, "");
}

TEST_F(GrowingFileTest, LinksFoldersAndPipesAreNoFiles) {
    write(folder / "secret", "secret\n");
    std::filesystem::create_symlink(folder / "secret", path);
    EXPECT_EQ(next().lines, "");
    EXPECT_FALSE(look_at(path).is_there);
    EXPECT_TRUE(read_stretch(path, 0, 3).error().is(NissaError::kDamagedFile));
    std::filesystem::remove(path);
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);  // opening one for reading would wait for ever
    EXPECT_EQ(next().lines, "");
    std::filesystem::remove(path);
    std::filesystem::create_directory(path);
    EXPECT_EQ(next().lines, "");
}

TEST_F(GrowingFileTest, ALineWithoutAnEndIsAnErrorOnceItIsTooLong) {
    write(path, std::string(50, 'x'));
    EXPECT_EQ(next(100).lines, "");
    append(path, std::string(60, 'x'));
    const auto news = file.read(100);
    ASSERT_FALSE(news);
    EXPECT_TRUE(news.error().is(NissaError::kDamagedFile));
}

TEST_F(GrowingFileTest, TheTailBeginsWithAWholeLine) {
    write(path, "one\ntwo\nthree\nfour\n");
    file.skip_to_tail(8);
    EXPECT_EQ(next().lines, "four\n");
    append(path, "five\n");
    EXPECT_EQ(next().lines, "five\n");
}

}  // namespace
}  // namespace esper::nissa
