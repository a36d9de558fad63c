// A run that ends when its budget is spent.

#include <cmath>

#include "tolaria/resumed_runs.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;
using std::chrono::seconds;

/// The FLOPs of one step of a configuration's first network.
double step_cost(const configs::EsperConfig& config) {
    const auto data = value_or_throw(open_data(config));
    const auto host = value_or_throw(make_host(config, data->info()));
    return training_flops(value_or_throw(graph::count_cost(*host)), examples_a_step(config, *data));
}

std::string flops(double amount) {
    return configs::Budget{amount, configs::Budget::Of::kFlops}.to_string();
}

configs::EsperConfig with_budget(double steps) {
    auto config = small();
    config.optimization.cooldown = 0.6;
    config.run.budget = flops(steps * step_cost(config));
    return config;
}

TEST(Budget, ARunEndsWithinAStepOfItAndItsRatesFollowWhatWasSpent) {
    Folder folder("budget");
    const auto config = with_budget(9.5);
    auto trainer = start(config, folder.path);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    const auto run = run_json(folder.path);
    // The first pass of the recorded network costs one more step.
    const double step = step_cost(config);
    const double limit = 9.5 * step;
    const double spent = run.at("budget").at("spent");
    EXPECT_GE(spent, limit);
    EXPECT_LT(spent, limit + step);
    const double training = run.at("flops").at("training");
    EXPECT_GE(spent, training);
    EXPECT_LE(spent, training + run.at("flops").at("recording").get<double>());
    EXPECT_EQ(run.at("steps"), run.at("flops").at("training").get<double>() / step);
    EXPECT_EQ(run.at("budget").at("limit"), limit);
    for (std::int64_t s = 1; s < trainer->step(); ++s)
        EXPECT_NEAR(trainer->course().rate(s),
                    config.optimization.learning_rate *
                        std::min(1.0, (limit - trainer->course().spent_at(s)) / (0.6 * limit)),
                    1e-12)
            << s;
}

TEST(Budget, TheLastEpochMayBeShorterAndIsEvaluatedLikeTheOthers) {
    Folder folder("short-epoch");
    const auto config = with_budget(7.5);
    auto trainer = start(config, folder.path);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    ASSERT_NE(trainer->step() % 4, 0);
    const auto rows = metrics_of(folder.path);
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[1].at("step"), std::to_string(trainer->step()));
    EXPECT_EQ(rows[1].at("epoch"), "2");
    const auto run = run_json(folder.path);
    EXPECT_NEAR(std::stod(rows[1].at("val_loss")), run.at("val_loss").get<double>(), 1e-12);
    EXPECT_LT(run.at("train_loss").get<double>(), 5) << "the mean of the steps that there were";
    EXPECT_GT(run.at("train_loss").get<double>(), 2);
}

TEST(Budget, StoppedAndResumedAfterEachStepARunIsTheSameToTheBit) {
    const auto config = with_budget(10.5);
    Folder whole("budget-whole");
    Folder pieces("budget-pieces");
    ASSERT_EQ(value_or_throw(start(config, whole.path)->run()), RunStatus::kDone);
    auto status = run_one_step(*start(config, pieces.path));
    while (status == RunStatus::kStopped)
        status = run_one_step(*value_or_throw(Trainer::resume(config, pieces.path)));
    ASSERT_EQ(status, RunStatus::kDone);
    expect_same_run(whole.path, pieces.path);
}

TEST(Budget, AGrowingRunWithForksIsTheSameToTheBitWhenItIsStoppedAndResumed) {
    auto config = growing();
    config.growth.gate.fork_share = 1;
    config.optimization.cooldown = 0.3;
    config.growth.stop = 0.7;
    config.run.budget = flops(300 * step_cost(config));
    Folder whole("budget-grown-whole");
    Folder pieces("budget-grown-pieces");
    auto trainer = start(config, whole.path);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    const auto run = run_json(whole.path);
    ASSERT_GT(run.at("seeds").at("germinated"), 0);
    ASSERT_GT(run.at("flops").at("forks"), 0);
    EXPECT_LT(trainer->step(), 300) << "what growing cost was taken from the budget";
    run_in_pieces(config, pieces.path, steps_in_each_state(whole.path, trainer->step()));
    expect_same_run(whole.path, pieces.path);
    expect_replays(whole.path);
}

TEST(Budget, OfTimeCountsTheSecondsOfAllSittings) {
    Folder folder("budget-seconds");
    ManualClock clock;
    auto config = small();
    config.run.budget = "60s";
    {
        auto trainer = value_or_throw(Trainer::create(config, folder.path, clock));
        clock.advance(seconds(25));
        run_one_step(*trainer);
    }
    clock.advance(seconds(1000));  // nobody works
    {
        auto trainer = value_or_throw(Trainer::resume(config, folder.path, clock));
        clock.advance(seconds(25));
        EXPECT_EQ(run_one_step(*trainer), RunStatus::kStopped) << "50 of 60 seconds";
    }
    auto trainer = value_or_throw(Trainer::resume(config, folder.path, clock));
    clock.advance(seconds(10));
    EXPECT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    EXPECT_EQ(trainer->step(), 2);
    const auto run = run_json(folder.path);
    EXPECT_EQ(run.at("budget").at("of"), "seconds");
    EXPECT_DOUBLE_EQ(run.at("budget").at("spent").get<double>(), 60);
}

TEST(Budget, ADoneRunGoesOnOnlyWithMoreOfIt) {
    Folder folder("budget-more");
    auto config = with_budget(5.5);
    ASSERT_EQ(value_or_throw(start(config, folder.path)->run()), RunStatus::kDone);
    const auto refused = Trainer::resume(config, folder.path);
    ASSERT_FALSE(refused.has_value());
    EXPECT_TRUE(refused.error().is(TolariaError::kAlreadyDone));
    EXPECT_NE(refused.error().message().find("run.budget"), std::string::npos);
    config.run.budget = with_budget(11.5).run.budget;
    auto more = value_or_throw(Trainer::resume(config, folder.path));
    const auto before = more->step();
    ASSERT_EQ(value_or_throw(more->run()), RunStatus::kDone);
    EXPECT_EQ(more->step(), before + 6);
}

TEST(Budget, OfLessThanOneStepIsRefusedWithWhatAStepCosts) {
    Folder folder("budget-tiny");
    const auto refused = Trainer::create(with_budget(0.5), folder.path);
    ASSERT_FALSE(refused.has_value());
    EXPECT_TRUE(refused.error().is(TolariaError::kUnsupported));
    EXPECT_NE(refused.error().message().find("less than one step"), std::string::npos);
}

TEST(Budget, ACheckpointIsKeptWhereTheCoolDownOfASmallerOneBegins) {
    Folder folder("budget-kept");
    auto config = with_budget(40);
    config.run.finish_at = {flops(20 * step_cost(config))};
    config.checkpoint.keep = 1;
    ASSERT_EQ(value_or_throw(start(config, folder.path)->run()), RunStatus::kDone);
    const auto files = CheckpointRing(folder.path / "checkpoints", 1).regular_files();
    ASSERT_EQ(files.size(), 2U);  // the trunk's, and the newest of the ring
    const auto state =
        value_or_throw(read_saved_run(value_or_throw(read_checkpoint(files[0].path))));
    EXPECT_GE(state.flops.budgeted(), 8 * step_cost(config));
    EXPECT_LT(state.flops.budgeted(), 9 * step_cost(config));
}

TEST(Budget, AForeignCheckpointWithACourseThatCannotBeIsRefused) {
    Folder folder("budget-forged");
    const auto config = with_budget(5.5);
    ASSERT_EQ(run_one_step(*start(config, folder.path)), RunStatus::kStopped);
    const CheckpointRing ring(folder.path / "checkpoints", 1);
    const auto file = value_or_throw(ring.find("last"));
    const auto whole = value_or_throw(read_checkpoint(file));
    for (const auto* course :
         {R"({"marks": [{"step": 7, "spent": 0, "step_cost": 1}], "last_boundary": 0})",
          R"({"marks": [{"step": 0, "spent": -1, "step_cost": 1}], "last_boundary": 0})",
          R"({"marks": [], "last_boundary": 5})"}) {
        auto forged = whole;
        auto state = nlohmann::json::parse(whole.state);
        state["course"] = nlohmann::json::parse(course);
        forged.state = state.dump();
        const auto read = read_saved_run(forged);
        ASSERT_FALSE(read.has_value()) << course;
        EXPECT_NE(read.error().message().find("course"), std::string::npos);
    }
}

}  // namespace
}  // namespace esper::tolaria
