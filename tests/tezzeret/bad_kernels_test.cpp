// Kernels that are not what they claim: a good one's source with one thing changed.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "branches.h"
#include "esper/base/text.h"
#include "esper/services/tezzeret/forge.h"

namespace esper::tezzeret {
namespace {

using graph::Precision;

class BadKernels : public testing::Test {
  protected:
    void SetUp() override {
        at::set_num_threads(1);
        if (find_compilers().empty()) GTEST_SKIP() << "this machine has no compiler";
    }

    /// What the gauntlet finds after `what` was put in front of the backward function's end.
    static urabrask::Findings tried(const std::string& what, int most_seconds = 20) {
        const auto branch = token_branch("low_rank", 16);
        auto source = value_or_throw(kernel_source(branch, Precision::kFloat32, 48));
        const std::string end = "backward::give(call,sum);";
        const auto at = source.rfind(end);
        EXPECT_NE(at, std::string::npos);
        source.insert(at + end.size(), what);
        const auto built =
            value_or_throw(compile(find_compilers().front(), this_machine(), source));
        urabrask::Trial trial{branch, Precision::kFloat32, {}};
        trial.most_seconds = most_seconds;
        return value_or_throw(urabrask::try_kernel(trial, "bad", built.object));
    }
};

TEST_F(BadKernels, AKernelAsItWasIsCorrect) { EXPECT_EQ(tried("").why, ""); }

TEST_F(BadKernels, AWrongGradientIsFoundByName) {
    const auto found = tried("*(float*)call->parameter_gradients[1].data*=1.01f;");
    EXPECT_NE(found.why.find("down.weight"), std::string::npos) << found.why;
    ASSERT_FALSE(found.verdict());
    EXPECT_TRUE(found.verdict().error().is(urabrask::UrabraskError::kWrong));
}

TEST_F(BadKernels, AResultThatIsLeftOutIsFound) {
    const auto found =
        tried("{float*d=(float*)call->parameter_gradients[3].data;for(int i=0;i<16;++i)d[i]=0;}");
    EXPECT_NE(found.why.find("readout.bias"), std::string::npos) << found.why;
}

TEST_F(BadKernels, OtherBitsInASecondCallAreFound) {
    const auto found = tried("static int calls;if(++calls%2==0)((float*)call->dx.data)[0]+=1e-7f;");
    EXPECT_NE(found.why.find("other bits"), std::string::npos) << found.why;
}

TEST_F(BadKernels, ACrashIsAFindingNotACrash) {
    const auto found = tried("*(volatile int*)8=1;");
    EXPECT_NE(found.why.find("signal 11"), std::string::npos) << found.why;
}

TEST_F(BadKernels, AWritePastTheEndOfAResultIsFound) {
    const auto found =
        tried("{float*d=(float*)call->dx.data;d[call->rows*16]=d[call->rows*16-1];}");
    EXPECT_NE(found.why.find("signal 11"), std::string::npos) << found.why;
}

TEST_F(BadKernels, AReadPastTheEndOfAnInputIsFound) {
    const auto found =
        tried("{volatile float sink=((const float*)call->x.data)[call->rows*16];(void)sink;}");
    EXPECT_NE(found.why.find("signal 11"), std::string::npos) << found.why;
}

TEST_F(BadKernels, AHangIsAFindingNotAHang) {
    const auto found = tried("for(volatile int i=0;;i=i+1);", 1);
    EXPECT_NE(found.why.find("was ended by signal"), std::string::npos) << found.why;
}

TEST_F(BadKernels, AnErrorCodeIsAFinding) {
    EXPECT_NE(tried("if(call)return 7;").why.find("returned 7"), std::string::npos);
}

TEST_F(BadKernels, AnObjectThatAsksForMoreThanMemoryIsNotLoaded) {
    const auto found = tried("asm volatile(\"call system@PLT\");");
    EXPECT_NE(found.why.find("'system'"), std::string::npos) << found.why;
}

}  // namespace
}  // namespace esper::tezzeret
