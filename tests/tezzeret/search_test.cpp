#include "esper/services/tezzeret/search.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "branches.h"
#include "esper/services/tezzeret/emit_cpp.h"

namespace esper::tezzeret {
namespace {

using graph::Precision;

class Search : public testing::Test {
  protected:
    void SetUp() override {
        at::set_num_threads(1);
        if (find_compilers().empty()) GTEST_SKIP() << "this machine has no compiler";
    }
    /// The kernel of kFast, compiled with these flags.
    static urabrask::Named kernel(const graph::ProgramPtr& branch, const Optimisation& flags) {
        const auto source =
            value_or_throw(kernel_source(branch, Precision::kFloat32, usual_tile_rows(*branch)));
        return {"known",
                value_or_throw(compile(find_compilers().front(), this_machine(), source, flags))
                    .object};
    }
    static Order order(const graph::ProgramPtr& branch, urabrask::Named known) {
        Order order{branch, Precision::kFloat32, {{4, 64, 16}}, Pipeline::kAggressive};
        order.best_known = std::move(known);
        order.search_seconds = 1;
        return order;
    }
};

TEST_F(Search, NeedsAKernelToBeat) {
    const auto made = forge(
        {token_branch("low_rank", 16), Precision::kFloat32, {{4, 64, 16}}, Pipeline::kAggressive});
    EXPECT_EQ(made.status, Forged::Status::kFailed);
    EXPECT_NE(made.why.find("best kernel that is known"), std::string::npos) << made.why;
}

TEST_F(Search, KeepsWhatBeatsTheBestKnownBeyondDoubt) {
    const auto branch = token_branch("low_rank", 16);
    const auto made = forge(order(branch, kernel(branch, {"-O0"})));
    ASSERT_EQ(made.status, Forged::Status::kValidated) << made.why;
    EXPECT_NE(made.id.find("-" + this_machine().name + "-aggressive-"), std::string::npos)
        << made.id;
    EXPECT_GE(made.findings.cases, 14);
    ASSERT_EQ(made.against_known.size(), 1U);
    EXPECT_GT(made.against_known.front().times.low, 1);
    EXPECT_FALSE(made.object.empty());
}

TEST_F(Search, OfTheSameKernelItSaysThatNothingWasGained) {
    const auto branch = token_branch("low_rank", 16);
    auto again = order(branch, kernel(branch, {"-O2"}));
    again.search_seconds = 0;
    const auto made = forge(again);
    EXPECT_EQ(made.status, Forged::Status::kNoGain) << made.why;
    EXPECT_EQ(status_name(made.status), "no gain");
    EXPECT_NE(made.why.find("of 1 variants none beats known"), std::string::npos) << made.why;
    EXPECT_TRUE(made.object.empty()) << "what gains nothing is not handed out";
}

TEST_F(Search, AKernelComparedWithItselfIsNeitherFasterNorSlower) {
    const auto branch = token_branch("low_rank", 16);
    const auto some = kernel(branch, {"-O2"});
    const auto speeds = value_or_throw(
        urabrask::compare_kernels({branch, Precision::kFloat32, {{4, 64, 16}}}, some, some));
    ASSERT_EQ(speeds.size(), 1U);
    EXPECT_LT(speeds.front().times.low, 1.03);
    EXPECT_GT(speeds.front().times.high, 0.97);
}

TEST_F(Search, AKernelThatCannotBeRunIsAnErrorOfTheComparison) {
    const auto branch = token_branch("low_rank", 16);
    const auto compared = urabrask::compare_kernels({branch, Precision::kFloat32, {{4, 64, 16}}},
                                                    {"text", "no object"}, kernel(branch, {"-O2"}));
    ASSERT_FALSE(compared);
    EXPECT_TRUE(compared.error().is(urabrask::UrabraskError::kWrong));
}

void expect_right(const graph::ProgramPtr& branch, const std::vector<std::int64_t>& shape,
                  const EmitOptions& options, const Optimisation& flags) {
    const auto tiles = value_or_throw(lower_branch(branch, Precision::kFloat32, shape[1]));
    const auto source = value_or_throw(emit_cpp(tiles, options));
    const auto object =
        value_or_throw(compile(find_compilers().front(), this_machine(), source, flags)).object;
    const auto findings =
        value_or_throw(urabrask::try_kernel({branch, Precision::kFloat32, {}}, "variant", object));
    EXPECT_EQ(findings.why, "") << branch->name();
    EXPECT_GE(findings.cases, 10) << branch->name();
}

TEST_F(Search, WhatItVariesChangesNoResult) {
    EmitOptions options;
    options.saves = false;
    options.shares_loops = false;
    options.panel = 32;
    expect_right(token_branch("bottleneck_mlp", 48), {2, 128, 48}, options,
                 {"-O3", "-funroll-loops"});
    expect_right(token_branch("causal_mixer", 40), {2, 19, 40}, options, {"-O1"});
    expect_right(image_branch("squeeze_excite", 16, 8, 8), {2, 16, 8, 8}, options, {"-O2"});
    options.saves = true;
    options.panel = 48;
    options.tile_rows = 192;
    expect_right(token_branch("bottleneck_mlp", 48), {2, 128, 48}, options, {"-O2"});
}

TEST_F(Search, ItsFlagsGiveTheSameBytesInAnotherFolder) {
    const auto branch = token_branch("low_rank", 16);
    const Optimisation flags{"-O3", "-funroll-loops"};
    EXPECT_EQ(kernel(branch, flags).object, kernel(branch, flags).object);
    EXPECT_NE(kernel(branch, flags).object, kernel(branch, {"-O1"}).object);
}

TEST(PipelineFor, OnlyWhatIsAskedForOftenIsMadeBetterAndOnlyAnIdleMachineSearches) {
    EXPECT_EQ(pipeline_for(0.0, 0.7), Pipeline::kFast);
    EXPECT_EQ(pipeline_for(0.29, 0.71), Pipeline::kAggressive);
    EXPECT_EQ(pipeline_for(0.3, 0.71), Pipeline::kStandard);
    EXPECT_EQ(pipeline_for(1.0, 0.2), Pipeline::kFast);
}

TEST(PipelineFor, EachHasAName) {
    for (const auto pipeline : {Pipeline::kFast, Pipeline::kStandard, Pipeline::kAggressive})
        EXPECT_EQ(pipeline_from_name(pipeline_name(pipeline)), pipeline);
    EXPECT_FALSE(pipeline_from_name("slow"));
}

}  // namespace
}  // namespace esper::tezzeret
