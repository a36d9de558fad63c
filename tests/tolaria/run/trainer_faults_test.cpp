#include "esper/execution/kernels/kernel_error.h"
#include "tolaria/small_runs.h"
#include "tolaria/trainer_access.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;
using execution::KernelError;
using execution::SeedState;

configs::EsperConfig one_seed() {
    auto config = growing();
    config.model.depth = 1;
    config.growth.blueprints = {"bottleneck_mlp"};
    config.growth.limits.max_fossilized = 1;
    config.growth.gate.rent = -100;  // whatever it does, it is kept
    return config;
}

Checkpoint newest(const fs::path& folder) {
    return value_or_throw(CheckpointRing(folder / "checkpoints", 5).newest());
}

void expect_same_tensors(const fs::path& one, const fs::path& two) {
    const auto a = newest(one);
    const auto b = newest(two);
    ASSERT_EQ(a.tensors.size(), b.tensors.size());
    for (const auto& [name, tensor] : a.tensors) {
        ASSERT_TRUE(b.tensors.contains(name)) << name;
        EXPECT_TRUE(at::equal(tensor, b.tensors.at(name))) << name;
    }
    for (const auto* key : {"step", "epoch_loss_sum", "spikes", "program_sha256"})
        EXPECT_EQ(state_of(a).at(key), state_of(b).at(key)) << key;
}

struct Case {
    SeedState state;
    std::string point;
};

void PrintTo(const Case& c, std::ostream* out) {
    *out << contracts::to_text(c.state) << ", " << c.point;
}

class SeedFault : public testing::TestWithParam<Case> {
  protected:
    Folder folder_{"fault"};
    Folder twin_folder_{"fault-twin"};
};

// Whatever a seed does, the step is the one that the host makes alone: to the bit the step of a
// twin whose seed was taken out before it.
TEST_P(SeedFault, CostsTheSeedAndNotTheStep) {
    auto trainer = start(one_seed(), folder_.path);
    const auto slot = train_until(*trainer, GetParam().state);
    auto twin = start(one_seed(), twin_folder_.path);
    train_until(*twin, GetParam().state);
    ASSERT_TRUE(TrainerTestAccess::take_out(
        *twin, slot.index, fail(KernelError::kNotFinite, "taken out by hand").value()));
    run_one_step(*twin);

    ASSERT_TRUE(FaultPoints::arm(GetParam().point + "@1"));
    run_one_step(*trainer);
    EXPECT_EQ(FaultPoints::fired(GetParam().point), 1U);
    FaultPoints::disarm_all();
    EXPECT_EQ(trainer->step(), twin->step());
    expect_same_tensors(folder_.path, twin_folder_.path);

    EXPECT_EQ(trainer->growth()->kasmina().state(slot.index), SeedState::kCulled);
    const auto faults = events_of(folder_.path, "fault");
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_EQ(faults[0].at("seed"), slot.seed);
    EXPECT_EQ(faults[0].at("state"), contracts::to_text(GetParam().state));
    EXPECT_EQ(faults[0].at("recovered"), true);
    EXPECT_EQ(faults[0].at("strategy"), "fallback") << "the identity path is what acted";
    EXPECT_EQ(faults[0].at("type"),
              GetParam().point == "seed.throw" ? "kernel_execution" : "kernel_validation");
    EXPECT_EQ(trainer->growth()->counts().culled, twin->growth()->counts().culled);

    trainer->stop_after(1'000'000);
    EXPECT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    expect_replays(folder_.path);
    // The blueprint has had its chance at this slot.
    for (const auto& decision : events_of(folder_.path, "decision"))
        if (decision.at("command") == "germinate" && decision.at("step") >= faults[0].at("step")) {
            EXPECT_NE(decision.at("slot"), slot.index);
        }
}

std::vector<Case> cases() {
    std::vector<Case> all;
    for (auto state : {SeedState::kTraining, SeedState::kGrafting, SeedState::kStabilization,
                       SeedState::kFineTuning, SeedState::kFossilized})
        for (const auto* point : {"seed.throw", "seed.nan_output", "seed.nan_gradient"})
            all.push_back({state, point});
    return all;
}
INSTANTIATE_TEST_SUITE_P(InEveryState, SeedFault, testing::ValuesIn(cases()));

// The real thing instead of a fault point: an operator that throws because its operands no longer
// fit, in a seed that is blended in.
TEST(SeedFaults, AnOperatorThatThrowsIsCaughtAndItsSeedTakenOut) {
    Folder folder("throws");
    auto trainer = start(one_seed(), folder.path);
    const auto slot = train_until(*trainer, SeedState::kGrafting);
    const auto block = trainer->store().find_block("seed." + slot.seed);
    for (auto& entry : block->entries)
        if (entry.value.dim() == 2) at::Tensor(entry.value).resize_({1, 1});
    trainer->engine().clear();
    run_one_step(*trainer);
    const auto faults = events_of(folder.path, "fault");
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_EQ(faults[0].at("error"), "graph.Execution") << faults[0];
    EXPECT_EQ(trainer->growth()->kasmina().state(slot.index), SeedState::kCulled);
    trainer->stop_after(1'000'000);
    EXPECT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
}

TEST(SeedFaults, ASeedThatOverflowsInIsolationLeavesAndTheHostNeverNotices) {
    Folder folder("overflows");
    Folder alone("overflows-not");
    auto trainer = start(one_seed(), folder.path);
    const auto slot = train_until(*trainer, SeedState::kTraining);
    const auto block = trainer->store().find_block("seed." + slot.seed);
    at::Tensor(block->flat).fill_(3e38);
    run_one_step(*trainer);
    ASSERT_EQ(events_of(folder.path, "fault").size(), 1U);
    EXPECT_EQ(trainer->growth()->kasmina().state(slot.index), SeedState::kCulled);
    auto config = one_seed();
    config.growth.enabled = false;
    auto host = start(config, alone.path);
    host->stop_after(trainer->step());
    ASSERT_EQ(value_or_throw(host->run()), RunStatus::kStopped);
    EXPECT_TRUE(at::equal(host->store().find_block("host")->flat,
                          trainer->store().find_block("host")->flat));
}

TEST(SeedFaults, AnErrorOfTheHostIsNotBlamedOnASeed) {
    Folder folder("host");
    auto trainer = start(one_seed(), folder.path);
    train_until(*trainer, SeedState::kTraining);
    for (auto& entry : trainer->store().find_block("host")->entries)
        if (entry.value.dim() == 2) at::Tensor(entry.value).resize_({1, 1});
    trainer->engine().clear();
    trainer->stop_after(1);
    const auto status = trainer->run();
    ASSERT_FALSE(status);
    EXPECT_TRUE(status.error().is(graph::GraphError::kExecution)) << status.error().to_string();
    EXPECT_TRUE(events_of(folder.path, "fault").empty());
    EXPECT_EQ(run_json(folder.path).at("status"), "failed");
}

}  // namespace
}  // namespace esper::tolaria
