#include "esper/services/tezzeret/forge.h"

#include <ATen/Parallel.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "branches.h"
#include "esper/engine/branch_kernel.h"
#include "esper/services/urabrask/cases.h"

namespace esper::tezzeret {
namespace {

using graph::Precision;

class Forge : public testing::Test {
  protected:
    void SetUp() override {
        at::set_num_threads(1);
        if (find_compilers().empty()) GTEST_SKIP() << "this machine has no compiler";
    }
    static Forged forged(const graph::ProgramPtr& branch, Precision precision) {
        return forge({branch, precision, {}});
    }
};

void expect_validated(const Forged& made, const std::string& what) {
    EXPECT_EQ(made.status, Forged::Status::kValidated) << what << ": " << made.why;
    EXPECT_GE(made.findings.cases, 14) << what;
    EXPECT_GT(made.findings.error, 0) << what;
    EXPECT_LE(made.findings.error, made.findings.allowed) << what;
    EXPECT_FALSE(made.object.empty()) << what;
}

TEST_F(Forge, BlueprintsForTokensComputeWhatTheInterpreterComputes) {
    for (const auto* name : {"bottleneck_mlp", "low_rank", "gated_unit"})
        expect_validated(forged(token_branch(name, 48), Precision::kFloat32), name);
}

TEST_F(Forge, TheTrialMeasuresMemoryAndTheSlowestCalls) {
    const auto made =
        forge({token_branch("bottleneck_mlp", 48), Precision::kFloat32, {{2, 64, 48}}});
    ASSERT_EQ(made.findings.speeds.size(), 1u) << made.why;
    const auto& speed = made.findings.speeds.front();
    // y and dx at least; the operators hold values between them besides.
    constexpr double kResults = 2.0 * 4 * 2 * 64 * 48;
    EXPECT_GE(speed.peak_bytes, kResults);
    EXPECT_GE(speed.peer_peak_bytes, kResults);
    EXPECT_LT(speed.peak_bytes, 100 * kResults);
    EXPECT_GE(speed.calls.calls, 25);
    EXPECT_GE(speed.calls.p99_seconds, 0.5 * speed.times.ours_seconds);
}

TEST_F(Forge, WidthsThatFillNoVectorAreComputedExactly) {
    expect_validated(forged(token_branch("low_rank", 37), Precision::kFloat32), "37 features");
}

TEST_F(Forge, ProductsInBFloat16StayWithinTheBoundOfTheType) {
    const auto made = forged(token_branch("bottleneck_mlp", 48), Precision::kBFloat16);
    expect_validated(made, "bf16");
    EXPECT_GT(made.findings.error, 1e-4) << "it did not compute in bf16";
}

TEST_F(Forge, ABranchThatNobodyWroteATemplateForIsCompiled) {
    graph::ProgramBuilder b("gates");
    const auto x = b.input("x", {graph::DType::kFloat32, {-1, 24}});
    const auto w = b.parameter("w", {graph::DType::kFloat32, {40, 24}}, small_values());
    const auto v = b.parameter("v", {graph::DType::kFloat32, {40, 24}}, small_values());
    const auto bias = b.parameter("bias", {graph::DType::kFloat32, {40}}, small_values());
    const auto out = b.parameter("out", {graph::DType::kFloat32, {24, 40}}, small_values());
    const auto gate =
        b.call("aten::sigmoid", {b.call("aten::linear", {b.call("aten::tanh", {x}), w, bias})});
    const auto value = b.call("aten::relu", {b.call("aten::linear", {x, v})});
    b.output("y", b.call("aten::linear", {b.call("aten::mul.Tensor", {gate, value}), out}));
    expect_validated(forged(value_or_throw(b.finish()), Precision::kFloat32), "gates");
}

TEST_F(Forge, ABranchThatMixesTokensIsCompiledForWholeSequences) {
    const auto branch = token_branch("causal_mixer", 40);
    for (auto precision : {Precision::kFloat32, Precision::kBFloat16}) {
        const auto made = forge({branch, precision, {{2, 19, 40}}});
        EXPECT_EQ(made.status, Forged::Status::kValidated) << made.why;
        ASSERT_FALSE(made.object.empty());
        const auto kernel = value_or_throw(urabrask::load_kernel(made.id, made.object));
        const auto parameters = urabrask::trial_parameters(branch);
        EXPECT_TRUE(graph::run_forward(kernel, at::randn({3, 19, 40}), parameters, 1, 0));
        // As many rows, but of other sequences.
        EXPECT_FALSE(graph::run_forward(kernel, at::randn({19, 3, 40}), parameters, 1, 0));
    }
}

TEST_F(Forge, WhatHasNoRuleIsUnsupportedByName) {
    const auto made = forged(token_branch("transformer_block", 32), Precision::kFloat32);
    EXPECT_EQ(made.status, Forged::Status::kUnsupported);
    EXPECT_NE(made.why.find("aten::"), std::string::npos) << made.why;
}

TEST_F(Forge, ASumOfTwoGradientsOfOneWeightIsRefusedNotDropped) {
    graph::ProgramBuilder b("shared");
    const auto x = b.input("x", {graph::DType::kFloat32, {-1, 16}});
    const auto w = b.parameter("w", {graph::DType::kFloat32, {16, 16}}, small_values());
    const auto once = b.call("aten::tanh", {b.call("aten::linear", {x, w})});
    b.output("y", b.call("aten::linear", {once, w}));
    const auto made = forged(value_or_throw(b.finish()), Precision::kFloat32);
    EXPECT_EQ(made.status, Forged::Status::kUnsupported);
    EXPECT_NE(made.why.find("aten::add"), std::string::npos) << made.why;
}

TEST_F(Forge, TheNumberOfThreadsChangesNoBit) {
    const auto branch = token_branch("gated_unit", 32);
    const auto made = forged(branch, Precision::kFloat32);
    ASSERT_EQ(made.status, Forged::Status::kValidated) << made.why;
    const auto kernel = value_or_throw(urabrask::load_kernel(made.id, made.object));
    const auto parameters = urabrask::trial_parameters(branch);
    const auto x = at::randn({1, 1000, 32});
    const auto g = at::randn({1, 1000, 32});
    const auto run = [&] {
        auto forward = value_or_throw(graph::run_forward(kernel, x, parameters, 1, 0));
        auto all =
            value_or_throw(graph::run_backward(kernel, g, x, parameters, forward.saved, 1, 0));
        all.push_back(forward.y);
        return all;
    };
    const auto one = run();
    at::set_num_threads(2);
    const auto two = run();
    at::set_num_threads(1);
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], two[i])) << i;
}

TEST_F(Forge, AKernelRefusesWhatItWasNotMadeFor) {
    const auto branch = token_branch("low_rank", 32);
    const auto made = forged(branch, Precision::kFloat32);
    ASSERT_EQ(made.status, Forged::Status::kValidated) << made.why;
    const auto kernel = value_or_throw(urabrask::load_kernel(made.id, made.object));
    const auto parameters = urabrask::trial_parameters(branch);
    const auto refused = graph::run_forward(kernel, at::randn({4, 16}), parameters, 1, 0);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(graph::GraphError::kShapeMismatch));
    auto short_one = parameters;
    short_one[0] = short_one[0].narrow(0, 0, 1);
    EXPECT_FALSE(graph::run_forward(kernel, at::randn({4, 32}), short_one, 1, 0));
}

TEST_F(Forge, TheSameSourceGivesTheSameBytesInAnotherFolder) {
    const auto source =
        value_or_throw(kernel_source(token_branch("low_rank", 16), Precision::kFloat32, 48));
    const auto compiler = find_compilers().front();
    const auto isa = this_machine();
    EXPECT_EQ(value_or_throw(compile(compiler, isa, source)).object,
              value_or_throw(compile(compiler, isa, source)).object);
}

TEST_F(Forge, AnArtifactsIdNamesWhatItsBytesDependOn) {
    const auto compiler = find_compilers().front();
    const auto isa = this_machine();
    const auto id = artifact_id("source", compiler, isa, {"-O2"}, Pipeline::kFast);
    EXPECT_EQ(id, artifact_id("source", compiler, isa, {"-O2"}, Pipeline::kFast));
    EXPECT_NE(id, artifact_id("sourcf", compiler, isa, {"-O2"}, Pipeline::kFast));
    EXPECT_NE(id, artifact_id("source", compiler, isa, {"-O3"}, Pipeline::kFast));
    auto other = compiler;
    other.version += ".1";
    EXPECT_NE(id, artifact_id("source", other, isa, {"-O2"}, Pipeline::kFast));
    EXPECT_NE(id.find("-" + isa.name + "-fast-"), std::string::npos) << id;
}

TEST_F(Forge, TextThatIsNoSourceIsAFailedAttempt) {
    const auto failed = compile(find_compilers().front(), this_machine(), "no source\n");
    ASSERT_FALSE(failed);
    EXPECT_TRUE(failed.error().is(TezzeretError::kCompileFailed)) << failed.error().to_string();
}

}  // namespace
}  // namespace esper::tezzeret
