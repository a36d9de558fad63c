#include "esper/base/mapped_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/temporary_folder.h"
#include "esper/base/files.h"

namespace esper {
namespace {

class MappedFileTest : public ::testing::Test {
  protected:
    TemporaryFolder folder;
};

TEST_F(MappedFileTest, ShowsTheBytesAndOutlivesTheName) {
    const std::string content(100'000, 'x');
    ASSERT_TRUE(write_file_atomic(folder / "a", content + "end"));
    const auto file = MappedFile::open(folder / "a");
    ASSERT_TRUE(file) << file.error().to_string();
    std::filesystem::remove(folder / "a");
    EXPECT_EQ(std::string_view((*file)->data(), (*file)->size()), content + "end");
}

TEST_F(MappedFileTest, WritingToItLeavesTheFileAndOtherMappingsAlone) {
    ASSERT_TRUE(write_file_atomic(folder / "a", "before"));
    const auto mine = MappedFile::open(folder / "a").value();
    const auto other = MappedFile::open(folder / "a").value();
    mine->data()[0] = 'B';
    EXPECT_EQ(std::string_view(mine->data(), mine->size()), "Before");
    EXPECT_EQ(std::string_view(other->data(), other->size()), "before");
    EXPECT_EQ(read_file(folder / "a").value(), "before");
}

TEST_F(MappedFileTest, AnEmptyFileHasNoBytes) {
    ASSERT_TRUE(write_file_atomic(folder / "a", ""));
    const auto file = MappedFile::open(folder / "a");
    ASSERT_TRUE(file) << file.error().to_string();
    EXPECT_EQ((*file)->size(), 0u);
}

TEST_F(MappedFileTest, RefusesWhatIsNoFile) {
    const auto missing = MappedFile::open(folder / "missing");
    ASSERT_FALSE(missing);
    EXPECT_TRUE(missing.error().is(FileError::kNotFound)) << missing.error().to_string();
    const auto directory = MappedFile::open(folder.path());
    ASSERT_FALSE(directory);
    EXPECT_TRUE(directory.error().is(FileError::kUnreadable)) << directory.error().to_string();
    EXPECT_NE(directory.error().message().find("not a regular file"), std::string::npos);
    const auto through = MappedFile::open(folder / "missing" / "below");
    EXPECT_FALSE(through);
}

}  // namespace
}  // namespace esper
