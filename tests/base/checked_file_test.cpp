#include <gtest/gtest.h>

#include <array>
#include <fstream>

#include "base/temporary_folder.h"
#include "esper/base/fault_points.h"
#include "esper/base/files.h"

namespace esper {
namespace {

constexpr std::string_view kMagic = "ESPRTEST";

class CheckedFileTest : public ::testing::Test {
  protected:
    void SetUp() override {
        const std::array<std::string_view, 3> payload{"first piece,", "", " second piece"};
        ASSERT_TRUE(write_checked_file(path, kMagic, 7, payload));
        whole = read_file(path).value();
    }
    void TearDown() override { FaultPoints::disarm_all(); }

    /// Replaces the file's bytes by `content` and reads it.
    Result<CheckedFile> reread(std::string_view content) const {
        std::ofstream(path, std::ios::binary) << content;
        return read_checked_file(path, kMagic);
    }

    TemporaryFolder folder;
    const std::filesystem::path path = folder / "file";
    std::string whole;
};

TEST_F(CheckedFileTest, ReadsBackVersionAndPayload) {
    const auto file = read_checked_file(path, kMagic).value();
    EXPECT_EQ(file.version, 7U);
    EXPECT_EQ(file.payload, "first piece, second piece");
}

TEST_F(CheckedFileTest, AnEmptyPayloadIsAPayload) {
    ASSERT_TRUE(write_checked_file(path, kMagic, 1, {}));
    EXPECT_EQ(read_checked_file(path, kMagic).value().payload, "");
}

// Later versions must read today's files: these bytes must never change for this magic, version
// and payload.
TEST_F(CheckedFileTest, ItsBytesArePinned) {
    using namespace std::string_view_literals;
    const std::array<std::string_view, 1> payload{"abc"};
    ASSERT_TRUE(write_checked_file(path, kMagic, 0x01020304, payload));
    const std::string bytes = read_file(path).value();
    ASSERT_EQ(bytes.size(), 8U + 4 + 8 + 3 + 32);
    EXPECT_EQ(bytes.substr(0, 23), "ESPRTEST\x04\x03\x02\x01\x03\0\0\0\0\0\0\0abc"sv);
    EXPECT_EQ(bytes.substr(23, 4),
              "\x39"
              "\x04"
              "\xac"
              "\xbc"sv);
}

TEST_F(CheckedFileTest, EveryTruncationIsNoticed) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto file = reread(whole.substr(0, size));
        ASSERT_FALSE(file.has_value()) << size;
        EXPECT_TRUE(file.error().is(FileError::kTruncated)) << size << file.error().to_string();
    }
    EXPECT_TRUE(reread(whole).has_value());
}

TEST_F(CheckedFileTest, EveryFlippedBitIsNoticed) {
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        std::string damaged = whole;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        const auto file = reread(damaged);
        ASSERT_FALSE(file.has_value()) << "bit " << bit;
        const std::size_t byte = bit / 8;
        const bool in_magic = byte < 8;
        const bool in_length = byte >= 12 && byte < 20;
        if (in_magic) {
            EXPECT_TRUE(file.error().is(FileError::kNotEnvelope)) << "bit " << bit;
        } else if (in_length) {
            EXPECT_EQ(file.error().error_class(), ErrorClass::kVerification) << "bit " << bit;
        } else {
            EXPECT_TRUE(file.error().is(FileError::kChecksumMismatch)) << "bit " << bit;
        }
    }
}

TEST_F(CheckedFileTest, BytesBehindTheEndAreNoticed) {
    EXPECT_TRUE(reread(whole + "x").error().is(FileError::kChecksumMismatch));
    EXPECT_TRUE(reread(whole + whole).error().is(FileError::kChecksumMismatch));
}

TEST_F(CheckedFileTest, AnotherKindOfFileIsNamedAsSuch) {
    EXPECT_TRUE(reread("{\"a\": 1}").error().is(FileError::kNotEnvelope));
    EXPECT_TRUE(reread("x").error().is(FileError::kNotEnvelope));
    EXPECT_TRUE(read_checked_file(folder / "none", kMagic).error().is(FileError::kNotFound));
}

TEST_F(CheckedFileTest, TheMagicHasEightBytes) {
    EXPECT_TRUE(write_checked_file(path, "SHORT", 1, {}).error().is(FileError::kBadArgument));
    EXPECT_TRUE(read_checked_file(path, "MUCH TOO LONG").error().is(FileError::kBadArgument));
}

TEST_F(CheckedFileTest, AFailedWriteLeavesTheOldFileReadable) {
    for (const char* fault : {"files.write@1", "files.sync@1", "files.rename@1"}) {
        FaultPoints::disarm_all();
        ASSERT_TRUE(FaultPoints::arm(fault));
        const std::array<std::string_view, 1> payload{"other"};
        EXPECT_FALSE(write_checked_file(path, kMagic, 8, payload).has_value()) << fault;
        EXPECT_EQ(read_checked_file(path, kMagic).value().version, 7U) << fault;
    }
}

}  // namespace
}  // namespace esper
