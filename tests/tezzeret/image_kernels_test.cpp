#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "branches.h"
#include "esper/services/tezzeret/forge.h"

namespace esper::tezzeret {
namespace {

using graph::Precision;

class ImageKernels : public testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        at::set_num_threads(1);
        if (find_compilers().empty()) GTEST_SKIP() << "this machine has no compiler";
    }
    static Forged forged(Precision precision, std::int64_t features, std::int64_t height,
                         std::int64_t width) {
        return forge({image_branch(GetParam(), features, height, width), precision, {}});
    }
};

TEST_P(ImageKernels, ComputeWhatTheInterpreterComputes) {
    // Neither the width nor the number of pixels fills whole vectors or blocks.
    const auto made = forged(Precision::kFloat32, 24, 7, 5);
    EXPECT_EQ(made.status, Forged::Status::kValidated) << made.why;
    EXPECT_GE(made.findings.cases, 11);
    EXPECT_LE(made.findings.error, made.findings.allowed);
}

INSTANTIATE_TEST_SUITE_P(Blueprints, ImageKernels,
                         testing::Values("bottleneck_1x1", "depthwise_separable", "squeeze_excite",
                                         "conv_block_3x3", "double_conv_3x3"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST(ImagesInBFloat16, AreUnsupportedAndSaySo) {
    const auto source =
        kernel_source(image_branch("bottleneck_1x1", 16, 4, 4), Precision::kBFloat16, 96);
    ASSERT_FALSE(source);
    EXPECT_TRUE(source.error().is(TezzeretError::kUnsupported));
    EXPECT_EQ(source.error().message(), "no rule for images in bf16");
}

}  // namespace
}  // namespace esper::tezzeret
