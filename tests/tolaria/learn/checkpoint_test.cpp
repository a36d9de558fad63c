#include "esper/services/tolaria/learn/checkpoint.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <string_view>

#include "base/temporary_folder.h"
#include "esper/base/files.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;

struct CheckpointFile : testing::Test {
    TemporaryFolder folder;
    fs::path path = folder / "a.ckpt";

    void write(std::uint32_t version, std::string_view payload) const {
        const std::array<std::string_view, 1> pieces{payload};
        ASSERT_TRUE(write_checked_file(path, "ESPRCKPT", version, pieces));
    }
    void expect_refused() const {
        const auto read = read_checkpoint(path);
        ASSERT_FALSE(read);
        EXPECT_TRUE(read.error().is(TolariaError::kBadCheckpoint)) << read.error().to_string();
    }
};

TEST_F(CheckpointFile, KeepsTensorsWithTheirStridesAndTheState) {
    Checkpoint written;
    written.state = R"({"step":7})";
    written.tensors["w"] = at::arange(12, at::kFloat).view({3, 4}).t();
    ASSERT_TRUE(write_checkpoint(path, written));
    const auto read = read_checkpoint(path);
    ASSERT_TRUE(read) << read.error().to_string();
    EXPECT_EQ(read->state, written.state);
    ASSERT_EQ(read->tensors.size(), 1U);
    EXPECT_TRUE(at::equal(read->tensors.at("w"), written.tensors["w"]));
    EXPECT_EQ(read->tensors.at("w").strides(), written.tensors["w"].strides());
}

TEST_F(CheckpointFile, OfAnotherVersionIsRefused) {
    write(2, "");
    expect_refused();
}

TEST_F(CheckpointFile, WithAGoodSumButAHeaderThatIsNoneIsRefused) {
    write(1, "short");
    expect_refused();
    write(1, std::string("\xff\xff\xff\xff\0\0\0\0{}", 10));
    expect_refused();
    write(1, std::string("\2\0\0\0\0\0\0\0[]", 10));
    expect_refused();
}

struct Ring : testing::Test {
    TemporaryFolder folder;
    fs::path path = folder / "checkpoints";
    CheckpointRing ring{path, 2};

    void write(std::int64_t step, CheckpointKind kind) const {
        Checkpoint checkpoint;
        checkpoint.state = "{\"step\":" + std::to_string(step) + "}";
        auto ring_now = ring;
        ASSERT_TRUE(ring_now.write(step, checkpoint, kind));
    }
    std::string newest() const { return value_or_throw(ring.newest()).state; }
};

TEST_F(Ring, KeepsTheNewestAndTheBest) {
    write(0, CheckpointKind::kRegular);
    write(5, CheckpointKind::kBest);
    write(10, CheckpointKind::kRegular);
    write(15, CheckpointKind::kRegular);
    EXPECT_EQ(ring.steps(), (std::vector<std::int64_t>{10, 15}));
    EXPECT_EQ(value_or_throw(read_checkpoint(value_or_throw(ring.find("best")))).state,
              R"({"step":5})");
    EXPECT_EQ(value_or_throw(ring.find("last")).filename(), "step-15.ckpt");
    EXPECT_EQ(ring.find("5").error().is(FileError::kNotFound), true);
}

TEST_F(Ring, AStopPushesNothingOutAndGoesWithTheNextRegularOne) {
    write(5, CheckpointKind::kRegular);
    write(10, CheckpointKind::kRegular);
    write(12, CheckpointKind::kStopped);
    EXPECT_EQ(ring.steps(), (std::vector<std::int64_t>{5, 10}));
    EXPECT_EQ(newest(), R"({"step":12})");
    EXPECT_EQ(value_or_throw(ring.find("12")).filename(), "stopped-12.ckpt");
    EXPECT_EQ(value_or_throw(ring.newest_until(14)).step, 10);
    write(15, CheckpointKind::kRegular);
    EXPECT_EQ(ring.steps(), (std::vector<std::int64_t>{10, 15}));
    EXPECT_FALSE(ring.find("12"));
}

TEST_F(Ring, GoesBackToTheNewestWholeOneAndForgetsWhatCameAfter) {
    CheckpointRing wide(path, 5);
    for (int step : {0, 5, 10}) {
        Checkpoint checkpoint;
        ASSERT_TRUE(wide.write(step, checkpoint, CheckpointKind::kRegular));
    }
    fs::resize_file(path / "step-5.ckpt", 30);
    EXPECT_EQ(value_or_throw(wide.newest_until(9)).step, 0);
    EXPECT_TRUE(wide.newest_until(-1).error().is(FileError::kNotFound));
    wide.forget_after(5);
    EXPECT_EQ(wide.steps(), (std::vector<std::int64_t>{0, 5}));
}

}  // namespace
}  // namespace esper::tolaria
