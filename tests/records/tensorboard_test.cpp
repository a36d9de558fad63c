#include "esper/services/records/tensorboard.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <span>

#include "base/temporary_folder.h"
#include "esper/base/files.h"
#include "esper/base/hash.h"
#include "esper/base/own_file.h"

namespace esper::records {
namespace {

namespace fs = std::filesystem;

template <typename T>
T number_at(std::string_view bytes, std::size_t at) {
    T value{};
    std::memcpy(&value, bytes.substr(at).data(), sizeof(T));
    return value;
}

std::uint32_t masked(std::string_view content) {
    const auto crc = crc32c(std::as_bytes(std::span(content)));
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

/// The records of a TFRecord file, each checksum compared.
std::vector<std::string> records_in(const std::string& file) {
    std::vector<std::string> records;
    for (std::size_t at = 0; at < file.size();) {
        const auto length = number_at<std::uint64_t>(file, at);
        EXPECT_EQ(number_at<std::uint32_t>(file, at + 8), masked(file.substr(at, 8)));
        records.push_back(file.substr(at + 12, length));
        EXPECT_EQ(number_at<std::uint32_t>(file, at + 12 + length), masked(records.back()));
        at += 12 + length + 4;
    }
    return records;
}

class TensorBoard : public ::testing::Test {
  protected:
    void write(const std::string& rows) const {
        std::ofstream(run.path() / "metrics.csv") << "epoch,step,train_loss,val_loss,seconds\n"
                                                  << rows;
    }
    std::string written() const {
        const auto done = write_tensorboard(run.path());
        EXPECT_TRUE(done) << done.error().to_string();
        return value_or_throw(read_file(file));
    }
    TemporaryFolder run;
    fs::path file = run.path() / "tb" / "events.out.tfevents.esper";
};

TEST_F(TensorBoard, HasARecordForEachEpochWithTheFiguresThatItMeasured) {
    write("1,10,2.5,3.5,4\n2,300,1.25,,8\n");
    const auto records = records_in(written());
    ASSERT_EQ(records.size(), 3U);
    EXPECT_NE(records[0].find("brain.Event:2"), std::string::npos);
    const auto began = number_at<double>(records[0], 1);
    EXPECT_EQ(number_at<double>(records[1], 1), began + 4);
    EXPECT_EQ(number_at<double>(records[2], 1), began + 8);
    EXPECT_EQ(records[1][10], 10);  // the step, after the tag 0x10
    EXPECT_EQ(records[2].substr(10, 2), "\xac\x02");
    const auto value = [](const std::string& record, const std::string& tag) {
        const auto at = record.find(tag);
        return at == std::string::npos ? 0 : number_at<float>(record, at + tag.size() + 1);
    };
    EXPECT_EQ(value(records[1], "loss/train"), 2.5F);
    EXPECT_EQ(value(records[1], "loss/validation"), 3.5F);
    EXPECT_EQ(value(records[2], "loss/train"), 1.25F);
    EXPECT_EQ(records[2].find("loss/validation"), std::string::npos);
}

TEST_F(TensorBoard, WhatAReaderHasSeenStaysToTheByte) {
    write("1,10,2.5,3.5,4\n");
    const auto before = written();
    write("1,10,2.5,3.5,4\n2,20,1.5,2.5,9\n");
    EXPECT_TRUE(written().starts_with(before));
}

TEST_F(TensorBoard, ATimeOfAnOlderVersionIsReplaced) {
    write("1,10,2.5,3.5,4\n");
    auto old = written();
    std::memset(old.data() + 13, 0, sizeof(double));
    std::ofstream(file, std::ios::binary) << old;
    EXPECT_GT(number_at<double>(records_in(written())[0], 1), 1e9);
    std::ofstream(file, std::ios::binary) << "short";
    EXPECT_GT(number_at<double>(records_in(written())[0], 1), 1e9);
}

TEST_F(TensorBoard, LinksAreNotFollowed) {
    write("1,10,2.5,3.5,4\n");
    const TemporaryFolder elsewhere;
    fs::create_directory_symlink(elsewhere.path(), run.path() / "tb");
    const auto folder = write_tensorboard(run.path());
    ASSERT_FALSE(folder);
    EXPECT_TRUE(folder.error().is(OwnFileError::kSymbolicLink));
    fs::remove(run.path() / "tb");
    fs::create_directory(run.path() / "tb");
    fs::create_symlink(elsewhere / "target", file);
    const auto link = write_tensorboard(run.path());
    ASSERT_FALSE(link);
    EXPECT_TRUE(link.error().is(OwnFileError::kSymbolicLink));
    EXPECT_FALSE(fs::exists(elsewhere / "target"));
}

TEST_F(TensorBoard, AFigureThatIsNoNumberIsNamed) {
    write("1,10,2.5,3.5,4\n2,20,much,2.5,9\n");
    const auto refused = write_tensorboard(run.path());
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(RecordsError::kBadRecord));
    EXPECT_NE(refused.error().message().find("train_loss"), std::string::npos);
    EXPECT_FALSE(fs::exists(file));
}

}  // namespace
}  // namespace esper::records
