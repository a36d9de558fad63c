#include "esper/services/supply/improving.h"

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <filesystem>

#include "base/temporary_folder.h"
#include "esper/base/clock.h"
#include "esper/services/supply/best_known.h"
#include "esper/services/supply/known_kernels.h"
#include "esper/services/supply/ordered_work.h"
#include "esper/services/tezzeret/toolchain.h"
#include "esper/services/urza/catalogue.h"
#include "esper/services/urza/library.h"

namespace esper::supply {
namespace {

using contracts::CompilationPipeline;
using tezzeret::Pipeline;

TEST(ForgeOrders, AnOrderOfARunIsTheTextThatItAlwaysWas) {
    ForgeOrder order;
    order.branch = "b";
    EXPECT_EQ(text_of(order).find("pipeline"), std::string::npos);
    order.pipeline = Pipeline::kAggressive;
    EXPECT_EQ(value_or_throw(order_of(text_of(order))).pipeline, Pipeline::kAggressive);
    EXPECT_NE(id_of(work_of(order)), id_of(work_of({order})) + "x");
}

TEST(ForgeOrders, AnUnknownPipelineIsRefusedByName) {
    ForgeOrder order;
    order.pipeline = Pipeline::kStandard;
    auto text = text_of(order);
    text.replace(text.find("standard"), 8, "reckless");
    const auto read = order_of(text);
    ASSERT_FALSE(read);
    EXPECT_NE(read.error().message().find("'reckless'"), std::string::npos);
}

urza::KernelRecord measured(CompilationPipeline pipeline, double low, double middle, double high,
                            std::int64_t at = 0) {
    urza::KernelRecord record;
    record.manifest.pipeline = pipeline;
    record.verdict.emplace().at.utc_ns = at;
    auto& report = record.artifact.validation_report.emplace();
    report.baseline_comparison = {
        {"speed_percent", middle}, {"speed_percent_low", low}, {"speed_percent_high", high}};
    return record;
}

TEST(KnownKernels, WhatBeatTheBestInPairsComesBeforeWhatIsNotBeyondDoubtFaster) {
    const auto fast = measured(CompilationPipeline::kFast, 100, 130, 140);
    std::vector<urza::KernelRecord> all{
        fast, measured(CompilationPipeline::kAggressive, 95, 120, 135, 1),
        measured(CompilationPipeline::kAggressive, 90, 110, 125, 2)};
    order_by_speed(all);
    EXPECT_EQ(gain_of(all[0], "speed_percent"), 2.10) << "the last one";
    all = {measured(CompilationPipeline::kAggressive, 60, 70, 80), fast};
    order_by_speed(all);
    EXPECT_EQ(gain_of(all[0], "speed_percent"), 2.30);
}

class Improving : public testing::Test {
  protected:
    void SetUp() override {
        if (tezzeret::find_compilers().empty()) GTEST_SKIP() << "this machine has no compiler";
        const auto esper = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "esper";
        if (!std::filesystem::exists(esper)) GTEST_SKIP() << "the program is not built";
        const auto forged = run_program({esper.string(), "forge", "squeeze_excite", "--features",
                                         "16", "--library", library().string()});
        ASSERT_TRUE(forged);
    }
    /// Whether it ended with 0.
    static bool run_program(std::vector<std::string> words) {
        std::vector<char*> pointers;
        for (auto& word : words) pointers.push_back(word.data());
        pointers.push_back(nullptr);
        pid_t child = 0;
        if (::posix_spawn(&child, pointers[0], nullptr, nullptr, pointers.data(), environ) != 0)
            return false;
        int status = -1;
        ::waitpid(child, &status, 0);
        return status == 0;
    }
    std::filesystem::path library() const { return folder_ / "library"; }
    /// So many runs say that they used a kernel.
    static void file_runs(urza::Library& library, const std::string& kernel, int from, int to) {
        value_or_throw(urza::add_catalogue(library));
        const auto blueprint = value_or_throw(library.blueprints({})).front().blueprint_id;
        for (int i = from; i < to; ++i) {
            urza::FiledReport filed;
            filed.report.blueprint_id = blueprint;
            filed.report.kernel_artifact_id = kernel;
            filed.report.outcome = contracts::FieldOutcome::kFossilized;
            filed.report.at = {"layer", 0, 0};
            filed.report.ended_epoch = 1;
            filed.report.timestamp = contracts::now(system_clock());
            filed.seed = "seed";
            value_or_throw(library.file_run({"run-" + std::to_string(i), "gpt", {filed}, {}}));
        }
    }

  private:
    TemporaryFolder folder_;
};

TEST_F(Improving, AShapeThatManyRunsUsedIsSearchedOnAnIdleMachineOnce) {
    const auto opened = value_or_throw(urza::open_library(library().string()));
    const auto kernel = value_or_throw(opened->kernels({})).front();
    file_runs(*opened, kernel.manifest.artifact, 0, 4);
    EXPECT_FALSE(value_or_throw(worth_improving(*opened, 0.1))) << "four runs are not many";
    file_runs(*opened, kernel.manifest.artifact, 4, 5);
    const auto busy = value_or_throw(worth_improving(*opened, 0.9));
    ASSERT_TRUE(busy);
    EXPECT_EQ(busy->order.pipeline, Pipeline::kStandard);
    const auto idle = value_or_throw(worth_improving(*opened, 0.1));
    ASSERT_TRUE(idle);
    EXPECT_EQ(idle->order.pipeline, Pipeline::kAggressive);
    EXPECT_EQ(idle->runs, 5);
    EXPECT_GT(idle->interest, 0.7);
    EXPECT_EQ(idle->order.branch, kernel.manifest.branch);
    EXPECT_EQ(idle->order.sample, kernel.manifest.shape.sample);
    const auto known = value_or_throw(best_known(library().string(), idle->order));
    ASSERT_TRUE(known) << "there is a kernel to beat";
    EXPECT_EQ(known->id, kernel.manifest.artifact);
    value_or_throw(opened->work().order(work_of(idle->order)));
    EXPECT_FALSE(value_or_throw(worth_improving(*opened, 0.1))) << "it was ordered";
}

}  // namespace
}  // namespace esper::supply
