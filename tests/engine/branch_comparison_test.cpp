#include "esper/engine/joint/branch_comparison.h"

#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <limits>

namespace esper::graph {
namespace {

const std::vector<std::string> kNames{"y"};
constexpr double kFloor = 2e-6;

Comparison compare_one(const at::Tensor& kernel, const at::Tensor& aten, const at::Tensor& want) {
    return compare_branches(kNames, {kernel}, {aten}, {want}, {.floor = kFloor});
}

TEST(BranchComparison, ARoundingOfTheReferenceIsWithinTheBound) {
    const auto want = at::randn({100}).to(at::kDouble);
    const auto found = compare_one(want.to(at::kFloat), want.to(at::kFloat), want);
    EXPECT_EQ(found.why, "");
    EXPECT_LT(found.error, kFloor);
}

TEST(BranchComparison, AnErrorBeyondTheBoundIsNamedWithBothNumbers) {
    const auto want = at::full({100}, 1.0).to(at::kDouble);
    const auto found = compare_one(at::full({100}, 1.001), want.to(at::kFloat), want);
    EXPECT_EQ(found.why, "the error of y is 0.001, 2e-06 are allowed");
}

TEST(BranchComparison, WhereAtenIsFarFromTheReferenceTheKernelMayBeFourTimesAsFar) {
    const auto want = at::full({100}, 1.0).to(at::kDouble);
    EXPECT_EQ(compare_one(at::full({100}, 1.003), at::full({100}, 1.001), want).why, "");
    EXPECT_NE(compare_one(at::full({100}, 1.005), at::full({100}, 1.001), want).why, "");
}

TEST(BranchComparison, ANaNOfAtenMustNotBecomeANumber) {
    auto aten = at::full({4}, 1.0F);
    aten.mutable_data_ptr<float>()[2] = std::numeric_limits<float>::quiet_NaN();
    const auto want = aten.to(at::kDouble);
    EXPECT_EQ(compare_one(at::full({4}, 1.0F), aten, want).why, "y is finite where ATen's is NaN");
    EXPECT_EQ(compare_one(aten, aten, want).why, "");
}

TEST(BranchComparison, ANumberOfAtenMustNotBecomeANaN) {
    auto kernel = at::full({4}, 1.0F);
    kernel.mutable_data_ptr<float>()[0] = std::numeric_limits<float>::infinity();
    const auto aten = at::full({4}, 1.0F);
    EXPECT_EQ(compare_one(kernel, aten, aten.to(at::kDouble)).why,
              "y is not finite where ATen's is");
}

TEST(BranchComparison, WhereTheReferenceIsZeroTheKernelMustBeZeroToo) {
    const auto zero = at::full({4}, 0.0F);
    EXPECT_EQ(compare_one(zero, zero, zero.to(at::kDouble)).why, "");
    EXPECT_NE(compare_one(at::full({4}, 0.1F), zero, zero.to(at::kDouble)).why, "");
}

}  // namespace
}  // namespace esper::graph
