// Kernels that both keys vouch for and that fail in a run all the same: good ones' source with one
// thing changed, which happens only after some calls.

#include <algorithm>

#include "esper/blueprints/catalogue.h"
#include "esper/program/edits/seed_branch.h"
#include "esper/services/supply/store_kernel.h"
#include "supply/forged_library.h"

namespace esper::supply {
namespace {

using namespace tolaria::testing_runs;
using tolaria::RunStatus;

class FaultyKernels : public testing::Test {
  protected:
    void SetUp() override {
        if (tezzeret::find_compilers().empty()) GTEST_SKIP() << "this machine has no compiler";
    }
    static configs::EsperConfig config() {
        auto config = growing();  // low_rank alone
        config.growth.kernels = true;
        return config;
    }
    std::string library() const { return (folder_ / "library").string(); }

    /// Puts a kernel for the run's seeds into the library, with `what` in front of the end of its
    /// forward function. Its id.
    /// `spread`: width of the interval that its speed was measured with.
    std::string store(const std::string& what, double error_share = 0.1,
                      double spread = 0.2) const {
        const auto width = config().model.width;
        const auto tokens = config().model.context;
        graph::Anchor anchor;
        anchor.name = "anchor";
        anchor.kind = graph::AnchorKind::kTokens;
        anchor.features = width;
        const auto blueprint = value_or_throw(blueprints::make_blueprint(
            "low_rank", anchor, {graph::DType::kFloat32, {-1, tokens, width}}));
        const auto branch =
            value_or_throw(graph::blueprint_branch(*blueprint.program, {tokens, width})).program;
        auto source =
            value_or_throw(tezzeret::kernel_source(branch, graph::Precision::kFloat32, 96));
        const std::string end = "job.run();";
        const auto at = source.find(end, source.find("esper_kernel_forward(const"));
        EXPECT_NE(at, std::string::npos);
        source.insert(at + end.size(), what);
        const auto isa = tezzeret::this_machine();
        const auto& compiler = tezzeret::find_compilers().front();
        const auto built = value_or_throw(tezzeret::compile(compiler, isa, source));
        tezzeret::Forged made;
        made.status = tezzeret::Forged::Status::kValidated;
        made.id = "faulty";
        made.object = built.object;
        made.flags = built.flags;
        made.compiler = compiler.version;
        made.isa = isa.name;
        const std::vector<std::int64_t> shape{config().data.batch_size, tokens, width};
        made.findings.error = error_share;
        made.findings.allowed = 1;
        made.findings.speeds.push_back(
            {shape, {1e-6, 3e-6, 3, 3 - spread / 2, 3 + spread / 2, 25}, {2e-6, 100}, 3e6, 4e6});
        const auto opened = value_or_throw(urza::open_library(library()));
        const execution::KeyFolder keys(execution::KeyFolder::default_path(library()));
        return value_or_throw(store_kernel(*opened, keys, "low_rank", "tokens",
                                           {branch, graph::Precision::kFloat32, {shape}}, made));
    }

    /// Trains with that kernel alone on offer; what the run wrote down about its failure.
    nlohmann::json fault_of(const std::string& id, const fs::path& folder) const {
        const auto trainer = value_or_throw(
            Trainer::create(config(), folder, system_clock(), library_supply({library(), ""})));
        EXPECT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
        const auto faults = events_of(folder, "kernel_fault");
        if (faults.empty()) return {{"kernel", ""}, {"reason", ""}, {"evicted", ""}};
        EXPECT_EQ(faults.front().at("kernel"), id);
        EXPECT_TRUE(trainer->growth()->kernels().in_use().empty());
        EXPECT_TRUE(events_of(folder, "fault").empty()) << "the seed is not at fault";
        EXPECT_TRUE(events_of(folder, "rollback").empty());
        return faults.front();
    }

  private:
    TemporaryFolder folder_;
};

TEST_F(FaultyKernels, AKernelThatIsSoundIsRunToTheEnd) {
    const Folder folder("sound");
    const auto id = store("");
    EXPECT_EQ(fault_of(id, folder.path).at("reason"), "");
    const auto kernels = run_json(folder.path).at("kernels");
    EXPECT_GE(kernels.at("seeds_with_kernel"), 1) << kernels;
}

TEST_F(FaultyKernels, OneThatReturnsAnErrorIsEvictedForGoodAndItsSeedGoesOn) {
    const Folder folder("error");
    const auto id = store("static int calls;if(++calls>20)return 7;");
    const auto fault = fault_of(id, folder.path);
    EXPECT_NE(fault.at("reason").get<std::string>().find("reported an error"), std::string::npos)
        << fault;
    EXPECT_EQ(fault.at("evicted"), "for good");
    // Nobody is offered it again.
    const Folder next("next");
    fault_of(id, next.path);
    EXPECT_EQ(run_json(next.path).at("kernels").at("seeds_with_kernel"), 0);
    const auto library = value_or_throw(urza::open_library(this->library()));
    EXPECT_EQ(value_or_throw(library->kernel(id)).artifact.status,
              contracts::KernelStatus::kDeprecated);
}

TEST_F(FaultyKernels, ASpeculativeOneIsRunOnlyWhereThatIsAllowed) {
    const Folder folder("speculative");
    const auto id = store("", 1, 3);  // its whole bound, and a speed of 1.5 to 4.5
    const auto opened = value_or_throw(urza::open_library(library()));
    EXPECT_GT(*value_or_throw(opened->kernel(id)).artifact.validation_report->risk_score, 0.5);
    std::string missing;
    for (const auto& reason : value_or_throw(opened->why(id, {})))
        if (!reason.holds) missing += reason.what + ": " + reason.why;
    EXPECT_EQ(missing.find("its risk is not speculative: 0.731, SPECULATIVE"), 0u) << missing;
    fault_of(id, folder.path);
    for (const auto& event : events_of(folder.path, "kernel")) {
        EXPECT_EQ(event.at("runs"), "operators");
        EXPECT_NE(event.at("why").get<std::string>().find("growth.allow_speculative=true"),
                  std::string::npos)
            << event;
    }
    EXPECT_FALSE(events_of(folder.path, "kernel").empty());
    const Folder allowed("allowed");
    const auto trainer = value_or_throw(Trainer::create(
        config(), allowed.path, system_clock(), library_supply({library(), "", {}, false, true})));
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    const auto decided = events_of(allowed.path, "kernel");
    ASSERT_FALSE(decided.empty());
    EXPECT_EQ(decided.front().at("kernel"), id);
}

TEST_F(FaultyKernels, OneThatReturnsNoNumberIsFoundBecauseTheOperatorsDo) {
    const Folder folder("nan");
    const auto id =
        store("static int calls;if(++calls>20)((float*)call->y.data)[3]=__builtin_nanf(\"\");");
    const auto fault = fault_of(id, folder.path);
    EXPECT_EQ(fault.at("evicted"), "for good");
    EXPECT_NE(fault.at("reason"), "");
}

TEST_F(FaultyKernels, OneThatCrashesOnProbationCostsItselfAndNotTheRun) {
    const Folder operators("operators");
    auto plain = config();
    plain.growth.kernels = false;
    ASSERT_EQ(value_or_throw(value_or_throw(Trainer::create(plain, operators.path))->run()),
              RunStatus::kDone);
    const Folder folder("crash");
    const auto fault = fault_of(store("*(volatile int*)8=1;"), folder.path);
    EXPECT_NE(fault.at("reason").get<std::string>().find("ended by signal 11"), std::string::npos)
        << fault;
    EXPECT_EQ(fault.at("evicted"), "for good");
    // The operators took over in the same step.
    for (const auto* figure : {"program_sha256", "train_loss", "val_loss"})
        EXPECT_EQ(run_json(folder.path).at(figure), run_json(operators.path).at(figure)) << figure;
    const auto use = run_json(folder.path).at("kernels").at("use").front();
    EXPECT_EQ(use.at("errors"), 1) << use;
    EXPECT_EQ(use.at("calls"), use.at("guarded")) << use;
}

TEST_F(FaultyKernels, OneThatIsWrongOnTheRunsOwnBatchIsFoundOnProbation) {
    const Folder folder("wrong");
    const auto fault =
        fault_of(store("for(int64_t i=0;i<call->y.bytes/4;++i)((float*)call->y.data)[i]+=0.25f;"),
                 folder.path);
    EXPECT_NE(fault.at("reason").get<std::string>().find("is wrong on this run's batch"),
              std::string::npos)
        << fault;
    EXPECT_EQ(fault.at("evicted"), "for good");
}

TEST_F(FaultyKernels, OneThatWritesIntoItsInputIsFoundOnProbation) {
    const Folder folder("input");
    const auto fault = fault_of(store("((float*)call->x.data)[5]=1;"), folder.path);
    EXPECT_NE(fault.at("reason").get<std::string>().find("may only read"), std::string::npos)
        << fault;
}

TEST_F(FaultyKernels, TheStateTableKnowsHowTheKernelDoes) {
    const Folder folder("table");
    store("");
    const auto trainer = value_or_throw(
        Trainer::create(config(), folder.path, system_clock(), library_supply({library(), ""})));
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    const auto& layer = trainer->growth()->kasmina();
    int seen = 0;
    for (const auto& slot : layer.slots()) {
        const auto row = value_or_throw(layer.table().read(slot.index));
        if ((row.flags & execution::kHasHealth) == 0) continue;
        ++seen;
        EXPECT_EQ(row.health, 1.0F);
        EXPECT_EQ(row.error_count, 0);
        EXPECT_GT(row.latency_us, 0U);
    }
    EXPECT_GT(seen, 0);
}

TEST_F(FaultyKernels, AResumeAfterTheFaultGivesTheSameBits) {
    const Folder whole("whole");
    const Folder pieces("pieces");
    const auto id = store("static int calls;if(++calls>20)return 7;");
    const auto copy = pieces.above / "library";
    fs::copy(library(), copy, fs::copy_options::recursive);
    const auto step = fault_of(id, whole.path).at("step").get<std::int64_t>();
    auto trainer = value_or_throw(Trainer::create(config(), pieces.path, system_clock(),
                                                  library_supply({copy.string(), ""})));
    trainer->stop_after(step + 2);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kStopped);
    trainer.reset();
    trainer = value_or_throw(Trainer::resume(config(), pieces.path, system_clock(),
                                             library_supply({copy.string(), ""})));
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    expect_same_run(whole.path, pieces.path);
}

}  // namespace
}  // namespace esper::supply
