#include <limits>

#include "tolaria/small_runs.h"
#include "tolaria/trainer_access.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;
using execution::SeedState;

void spoil_host(Trainer& trainer, double factor) {
    at::Tensor(trainer.store().find_block("host")->flat).mul_(factor);
}
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

void run_to_the_end(Trainer& trainer) {
    trainer.stop_after(1'000'000);
    ASSERT_EQ(value_or_throw(trainer.run()), RunStatus::kDone);
}

/// Makes every rollback end the call of run() that it happens in.
void stop_at_rollbacks(Trainer& trainer) {
    trainer.on_event([&trainer](const nlohmann::json& event) {
        if (event.at("event") == "rollback") trainer.stop_after(-1'000'000);
    });
}

void train_into_trouble(Trainer& trainer) {
    spoil_host(trainer, kNan);
    trainer.stop_after(1'000'000);
    ASSERT_EQ(value_or_throw(trainer.run()), RunStatus::kStopped);
}

TEST(Rollback, TakesEverythingBackTogetherAndShutsTheSlotOfTheSeedThatWasBlendedIn) {
    Folder folder("rollback");
    const auto config = growing();
    auto trainer = start(config, folder.path);
    const auto slot = train_until(*trainer, SeedState::kGrafting);
    const auto events_before = text_of(folder.path / "events.jsonl");
    spoil_host(*trainer, kNan);
    run_one_step(*trainer);

    const auto events = events_of(folder.path, "rollback");
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].at("trouble"), "not_finite");
    EXPECT_EQ(events[0].at("failed_seed").at("seed"), slot.seed);
    EXPECT_EQ(events[0].at("failed_seed").at("layer"), slot.anchor);
    EXPECT_EQ(events[0].at("failed_blueprint_id"), slot.blueprint);
    EXPECT_LT(events[0].at("to_step"), events[0].at("step"));
    EXPECT_TRUE(text_of(folder.path / "events.jsonl").starts_with(events_before))
        << "history was lost";
    EXPECT_EQ(TrainerTestAccess::history(*trainer).rate_factor, 1.0);
    EXPECT_EQ(trainer->growth()->kasmina().state(slot.index), SeedState::kRolledBack);

    trainer.reset();
    trainer = value_or_throw(Trainer::resume(config, folder.path));
    EXPECT_EQ(trainer->growth()->kasmina().state(slot.index), SeedState::kRolledBack);
    run_to_the_end(*trainer);
    EXPECT_EQ(trainer->growth()->kasmina().state(slot.index), SeedState::kRolledBack);
    expect_replays(folder.path);
    const auto run = run_json(folder.path);
    EXPECT_EQ(run.at("seeds").at("rolled_back"), 1);
    EXPECT_EQ(run.at("rollbacks"), 1);
    for (const auto& decision : events_of(folder.path, "decision"))
        if (decision.at("step") > events[0].at("step")) {
            EXPECT_NE(decision.at("slot"), slot.index) << "the slot is shut for good";
        }
    const auto text = text_of(folder.path / "metrics.csv");
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), config.run.epochs + 1)
        << "one row an epoch";
}

TEST(Rollback, NamesOfSeedsAreNotGivenTwice) {
    Folder folder("names");
    auto trainer = start(growing(), folder.path);
    const auto slot = train_until(*trainer, SeedState::kGrafting);
    spoil_host(*trainer, kNan);
    run_to_the_end(*trainer);
    const auto journal = value_or_throw(graph::read_journal(folder.path / "journal.jsonl"));
    const auto to_step = events_of(folder.path, "rollback").at(0).at("to_step");
    for (const auto& entry : journal) {
        if (!entry.edit || entry.step <= to_step) continue;
        const auto* insert = std::get_if<graph::InsertSeed>(&*entry.edit);
        EXPECT_TRUE(insert == nullptr || insert->seed != slot.seed);
    }
}

TEST(Rollback, WithNoSeedToBlameHalvesTheLearningRate) {
    Folder folder("rate");
    auto trainer = start(small(), folder.path);
    stop_at_rollbacks(*trainer);
    trainer->stop_after(6);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kStopped);
    train_into_trouble(*trainer);
    EXPECT_EQ(TrainerTestAccess::history(*trainer).rate_factor, 0.5);
    EXPECT_EQ(trainer->step(), 4);
    run_to_the_end(*trainer);
    EXPECT_EQ(run_json(folder.path).at("rollbacks"), 1);
    EXPECT_EQ(run_json(folder.path).at("seeds").at("rolled_back"), 0);
}

TEST(Rollback, ThatDoesNotHelpGoesFurtherBack) {
    Folder folder("further");
    auto trainer = start(small(), folder.path);
    stop_at_rollbacks(*trainer);
    trainer->stop_after(10);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kStopped);
    for (int i = 0; i < 3; ++i) train_into_trouble(*trainer);
    std::vector<std::int64_t> targets;
    for (const auto& event : events_of(folder.path, "rollback"))
        targets.push_back(event.at("to_step"));
    EXPECT_EQ(targets, (std::vector<std::int64_t>{8, 4, 0}));
    run_to_the_end(*trainer);
}

TEST(Rollback, EndsTheRunWithAClearErrorWhenThereAreNoMoreLeft) {
    Folder folder("spent");
    auto config = small();
    config.checkpoint.rollback.max_rollbacks = 1;
    auto trainer = start(config, folder.path);
    stop_at_rollbacks(*trainer);
    train_into_trouble(*trainer);
    spoil_host(*trainer, kNan);
    trainer->stop_after(1'000'000);
    const auto status = trainer->run();
    ASSERT_FALSE(status);
    EXPECT_TRUE(status.error().is(TolariaError::kDiverged)) << status.error().to_string();
    EXPECT_NE(status.error().message().find("max_rollbacks"), std::string::npos);
    EXPECT_EQ(run_json(folder.path).at("status"), "failed");
}

TEST(Rollback, ThatChangedNothingIsNotTriedAgain) {
    Folder folder("same-again");
    auto config = small();
    config.optimization.weight_decay = 1e30;
    auto trainer = start(config, folder.path);
    const auto status = trainer->run();
    ASSERT_FALSE(status);
    EXPECT_TRUE(status.error().is(TolariaError::kDiverged)) << status.error().to_string();
    EXPECT_EQ(events_of(folder.path, "rollback").size(), 1U);
    const auto& message = status.error().message();
    for (const auto* part : {"has changed nothing", "optimization.weight_decay (1e+30)",
                             "optimization.learning_rate (0.01)", "optimization.clip_norm ("})
        EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(Rollback, SwitchedOffEndsTheRunAtOnce) {
    Folder folder("off");
    auto config = small();
    config.checkpoint.rollback.enabled = false;
    auto trainer = start(config, folder.path);
    spoil_host(*trainer, kNan);
    const auto status = trainer->run();
    ASSERT_FALSE(status);
    EXPECT_TRUE(status.error().is(TolariaError::kDiverged)) << status.error().to_string();
    EXPECT_TRUE(events_of(folder.path, "rollback").empty());
}

TEST(Rollback, ASpikeOfTheLossIsMetLikeANan) {
    Folder folder("spike");
    auto config = small();
    config.checkpoint.rollback.spike_window = 3;
    auto trainer = start(config, folder.path);
    trainer->stop_after(6);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kStopped);
    spoil_host(*trainer, -30);
    run_one_step(*trainer);
    const auto events = events_of(folder.path, "rollback");
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].at("trouble"), "spike");
    EXPECT_GT(events[0].at("evidence").at("loss"),
              3 * events[0].at("evidence").at("mean").get<double>());
    EXPECT_EQ(events[0].at("to_step"), 4);
    run_to_the_end(*trainer);
}

TEST(Rollback, OnRequestGoesBackAndCostsNothingOfTheLimit) {
    Folder folder("request");
    auto config = growing();
    config.checkpoint.rollback.max_rollbacks = 0;
    auto trainer = start(config, folder.path);
    trainer->request_rollback();
    run_one_step(*trainer);
    EXPECT_EQ(events_of(folder.path, "rollback_refused").size(), 1U) << "there was nothing before";
    const auto slot = train_until(*trainer, SeedState::kGrafting);
    const auto from = trainer->step();
    trainer->request_rollback();
    run_to_the_end(*trainer);
    const auto events = events_of(folder.path, "rollback");
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].at("step"), from);
    EXPECT_EQ(events[0].at("failed_seed").at("seed"), slot.seed);
    expect_replays(folder.path);
}

// A learning rate that is far too high: the run comes into trouble all by itself, again and again,
// until the rate is low enough.
configs::EsperConfig troubled() {
    auto config = growing();
    config.run.epochs = 7;
    config.optimization.optimizer = configs::Optimizer::kSgd;
    config.optimization.learning_rate = 30;
    config.optimization.clip_norm = 0;
    config.checkpoint.every = configs::Duration::batches(7);
    config.checkpoint.rollback.max_rollbacks = 40;
    config.checkpoint.rollback.spike_window = 5;
    return config;
}

TEST(Rollback, ARunWithRollbacksResumesExactlyWhereverItIsStopped) {
    Folder whole("troubled");
    Folder pieces("troubled-pieces");
    ASSERT_EQ(value_or_throw(start(troubled(), whole.path)->run()), RunStatus::kDone);
    EXPECT_GE(run_json(whole.path).at("rollbacks"), 2);
    auto status = run_one_step(*start(troubled(), pieces.path));
    while (status == RunStatus::kStopped)
        status = run_one_step(*value_or_throw(Trainer::resume(troubled(), pieces.path)));
    expect_same_run(whole.path, pieces.path);
    expect_replays(pieces.path);
}

TEST(Rollback, ARunWithAShutSlotResumesExactlyWhereverItIsStopped) {
    Folder whole("shut");
    Folder pieces("shut-pieces");
    auto first = start(growing(), whole.path);
    train_until(*first, SeedState::kGrafting);
    const auto when = first->step();
    first->request_rollback();
    run_to_the_end(*first);
    EXPECT_EQ(run_json(whole.path).at("seeds").at("rolled_back"), 1);
    auto trainer = start(growing(), pieces.path);
    bool asked = false;
    while (true) {
        if (!asked && trainer->step() == when) {
            asked = true;
            trainer->request_rollback();
        }
        if (run_one_step(*trainer) == RunStatus::kDone) break;
        trainer.reset();
        trainer = value_or_throw(Trainer::resume(growing(), pieces.path));
    }
    first.reset();
    expect_same_run(whole.path, pieces.path);
}

}  // namespace
}  // namespace esper::tolaria
