#include "esper/services/tolaria/checkpoint.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string_view>

#include "esper/base/files.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;

struct CheckpointFile : testing::Test {
    fs::path path = fs::temp_directory_path() / ("esper-checkpoint-" + std::to_string(::getpid()));
    ~CheckpointFile() override { fs::remove(path); }

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

}  // namespace
}  // namespace esper::tolaria
