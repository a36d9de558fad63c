#include "esper/execution/kasmina/kernel_probation.h"

#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "esper/execution/kernels/branch_library.h"
#include "esper/program/text/text_format.h"
#include "execution/kernels/test_kernels.h"

namespace esper::execution {
namespace {

using esper::testing::compile_kernel;
using esper::testing::kDouble;

/// What the test kernels compute where w is 2.
constexpr const char* kBranch = R"(esper-program 1 "double"
input x: f32[?, 4]
param w: f32[1] normal(0.1)
%0 = aten::mul.Tensor(x, w)
output y: %0
)";

struct Passed {
    Status forward, backward, examined;
};

class KernelProbationTest : public ::testing::Test {
  protected:
    void use(const std::string& forward, const std::string& backward = "") {
        const auto library =
            value_or_throw(load_branch_library("test", compile_kernel(forward, "", backward)));
        watch_ = std::make_shared<KernelProbation>(graph::Precision::kFloat32);
        watch_->branch = value_or_throw(graph::parse_text(kBranch));
        kernel_ = graph::BranchKernel();
        kernel_.id = "test";
        kernel_.info = library.info;
        kernel_.forward = library.forward;
        kernel_.backward = library.backward;
        kernel_.library = library.handle;
        kernel_.watch = watch_;
    }
    /// One pass both ways, as the operators of a recorded step make it.
    Passed pass() {
        const auto x = at::randn({6, 4});
        const auto gradient = at::randn({6, 4});
        const std::vector<at::Tensor> parameters{at::full({1}, 2.0F)};
        auto forward = graph::run_forward(kernel_, x, parameters, 1, 0);
        if (!forward) return {fail(forward.error()), {}, {}};
        const auto made =
            graph::run_backward(kernel_, gradient, x, parameters, forward->saved, 1, 0);
        if (!made) return {{}, fail(made.error()), {}};
        return {{}, {}, watch_->examine(kernel_, {x, gradient, parameters, *made})};
    }

    std::shared_ptr<KernelProbation> watch_;
    graph::BranchKernel kernel_;
};

TEST_F(KernelProbationTest, ASoundKernelRunsInACopyFirstAndThenHere) {
    use(kDouble);
    for (int i = 0; i < 8; ++i) {
        const auto passed = pass();
        ASSERT_TRUE(passed.forward && passed.backward);
        ASSERT_TRUE(passed.examined) << passed.examined.error().to_string();
    }
    EXPECT_TRUE(watch_->is_over());
    EXPECT_EQ(watch_->use().calls, 17) << "one more to compare with the operators";
    EXPECT_EQ(watch_->use().guarded, 8);
    EXPECT_EQ(watch_->use().errors, 0);
    EXPECT_GT(watch_->use().mean_us(), 0);
    EXPECT_EQ(watch_->unguarded(), "");
}

TEST_F(KernelProbationTest, AWrongResultIsFoundInTheFirstPass) {
    use("for (int64_t i = 0; i < n; ++i) { y[i] = 2.1f * x[i]; saved[i] = x[i]; }");
    const auto forward = pass().examined;
    ASSERT_FALSE(forward);
    EXPECT_TRUE(forward.error().is(KernelError::kWrongResult)) << forward.error().to_string();
    EXPECT_NE(forward.error().message().find("the error of y is"), std::string::npos);
    use(kDouble, "dw[0] *= 1.5f;");
    const auto backward = pass().examined;
    ASSERT_FALSE(backward);
    EXPECT_NE(backward.error().message().find("the gradient of w"), std::string::npos);
    EXPECT_EQ(watch_->use().errors, 1);
}

TEST_F(KernelProbationTest, ACrashIsAnErrorThatNamesTheKernel) {
    use(kDouble, "__builtin_trap();");
    const auto passed = pass();
    EXPECT_TRUE(passed.forward);
    ASSERT_FALSE(passed.backward);
    EXPECT_TRUE(passed.backward.error().is(KernelError::kCrashed));
    EXPECT_NE(passed.backward.error().message().find("kernel test: it was ended by signal"),
              std::string::npos);
    EXPECT_EQ(watch_->use().errors, 1);
}

}  // namespace
}  // namespace esper::execution
