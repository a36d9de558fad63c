// Images that become larger while a run goes on.

#include "esper/services/tolaria/data/scaled_images.h"
#include "esper/services/tolaria/run/finish.h"
#include "esper/services/tolaria/run/planned_cost.h"
#include "tolaria/resumed_runs.h"
#include "tolaria/trainer_access.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;

/// 12 steps at 8, then 12, then 16 pixels.
configs::EsperConfig growing_images() {
    auto config = small();
    config.run.epochs = 3;
    config.run.steps_per_epoch = 4;
    config.model.host = configs::Host::kResnet;
    config.model.depth = 8;
    config.model.width = 2;
    config.data.kind = configs::DataKind::kDrawn;
    config.data.train_examples = 200;
    config.data.batch_size = 16;
    config.data.split = {0.7, 0.1, 0.1, 0.1};
    config.data.resolution = {"8", "12@25%", "16@50%"};
    return config;
}

configs::EsperConfig with_budget(double at_full_size) {
    auto config = growing_images();
    const auto data = value_or_throw(open_data(config));
    const auto host = value_or_throw(make_host(config, data->info()));
    const double step =
        training_flops(value_or_throw(graph::count_cost(*host)), examples_a_step(config, *data));
    config.run.budget =
        configs::Budget{at_full_size * step, configs::Budget::Of::kFlops}.to_string();
    return config;
}

TEST(GrowingImages, ChangeAtTheirSharesOfTheRun) {
    Folder folder("images");
    auto trainer = start(growing_images(), folder.path);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    const auto events = events_of(folder.path, "resolution");
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].at("step"), 3);
    EXPECT_EQ(events[0].at("from"), 8);
    EXPECT_EQ(events[0].at("to"), 12);
    EXPECT_EQ(events[1].at("step"), 6);
    EXPECT_EQ(events[1].at("to"), 16);
    EXPECT_LT(events[0].at("flops_per_example"), events[1].at("flops_per_example"));
    const auto run = run_json(folder.path);
    EXPECT_EQ(run.at("resolution").at("now"), 16);
    EXPECT_EQ(run.at("resolution").at("last"), 16);
    EXPECT_EQ(run.at("resolution").at("changes").size(), 2U);
    EXPECT_GE(run.at("best_step"), 8) << "losses at smaller sizes are not compared";
    expect_replays(folder.path);
}

TEST(GrowingImages, WhatIsSpentIsWhatWasPlanned) {
    Folder folder("images-flops");
    const auto config = growing_images();
    auto trainer = start(config, folder.path);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    const auto data = value_or_throw(open_data(config));
    const auto planned = value_or_throw(planned_cost(config, *data, trainer->program()));
    const auto flops = run_json(folder.path).at("flops");
    EXPECT_EQ(flops.at("training"), planned.training);
    EXPECT_EQ(flops.at("validation"), planned.validation);
    EXPECT_EQ(flops.at("test"), planned.test);
    auto whole = config;
    whole.data.resolution = {"16"};
    EXPECT_LT(planned.training,
              value_or_throw(planned_cost(whole, *data, trainer->program())).training);
}

TEST(GrowingImages, StoppedAndResumedAfterEachStepARunIsTheSameToTheBit) {
    Folder whole("images-whole");
    Folder pieces("images-pieces");
    const auto config = growing_images();
    ASSERT_EQ(value_or_throw(start(config, whole.path)->run()), RunStatus::kDone);
    run_in_pieces(config, pieces.path, {1, 2, 3, 4, 5, 6, 7, 8, 10, 11});
    expect_same_run(whole.path, pieces.path);
}

TEST(GrowingImages, ABudgetEndsWhereItWouldAndPaysForMoreSteps) {
    Folder whole("images-budget");
    Folder pieces("images-budget-pieces");
    auto config = with_budget(14.5);
    config.optimization.warmup = configs::Duration::percent(10);
    auto trainer = start(config, whole.path);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    const auto run = run_json(whole.path);
    const double limit = run.at("budget").at("limit");
    const double spent = run.at("budget").at("spent");
    EXPECT_GE(spent, limit);
    EXPECT_LT(spent, limit * 1.11);
    EXPECT_GT(trainer->step(), 15);
    for (const auto& event : events_of(whole.path, "resolution"))
        EXPECT_GE(event.at("share").get<double>(), event.at("to") == 12 ? 0.25 : 0.5);
    // What is recorded for each size is taken from the budget, too.
    const auto data = value_or_throw(open_data(config));
    const auto costs = value_or_throw(size_costs(config, data->info(), *trainer->program()));
    const double recorded = run.at("flops").at("recording");
    const auto missing = static_cast<double>(trainer->length().total_steps - trainer->step());
    EXPECT_GE(missing, 0);
    EXPECT_LE(missing, 1 + recorded / training_flops(costs.front().cost, config.data.batch_size));

    auto status = run_one_step(*start(config, pieces.path));
    while (status == RunStatus::kStopped)
        status = run_one_step(*value_or_throw(Trainer::resume(config, pieces.path)));
    ASSERT_EQ(status, RunStatus::kDone);
    expect_same_run(whole.path, pieces.path);
}

TEST(GrowingImages, ARollbackGoesBackToTheSizeOfItsCheckpoint) {
    Folder folder("images-back");
    const auto config = growing_images();
    auto trainer = start(config, folder.path);
    trainer->stop_after(7);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kStopped);
    trainer->request_rollback();
    trainer->stop_after(1'000'000);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    const auto back = events_of(folder.path, "rollback");
    ASSERT_EQ(back.size(), 1U);
    EXPECT_EQ(back[0].at("to_step"), 4);
    const auto events = events_of(folder.path, "resolution");
    ASSERT_EQ(events.size(), 3U) << "12 to 16 pixels was made twice";
    EXPECT_EQ(events[1].at("step"), events[2].at("step"));
    EXPECT_EQ(run_json(folder.path).at("resolution").at("changes").size(), 2U);
}

TEST(GrowingImages, SeedsAndTheirForksGrowWithThem) {
    Folder whole("images-seeds");
    Folder pieces("images-seeds-pieces");
    auto config = growing();
    const auto images = growing_images();
    config.model = images.model;
    config.data = images.data;
    config.data.resolution = {"8", "12@30%", "16@60%"};
    config.growth.blueprints = {"conv_block_3x3", "sham"};
    config.growth.sham = true;
    config.growth.gate.fork_share = 1;
    config.growth.gate.min_examples = 16;
    ASSERT_EQ(value_or_throw(start(config, whole.path)->run()), RunStatus::kDone);
    EXPECT_GT(run_json(whole.path).at("seeds").at("germinated"), 0);
    EXPECT_GT(run_json(whole.path).at("flops").at("forks"), 0.0);
    EXPECT_EQ(events_of(whole.path, "resolution").size(), 2U);
    run_in_pieces(config, pieces.path, steps_in_each_state(whole.path, 66));
    expect_same_run(whole.path, pieces.path);
    expect_replays(whole.path);
}

TEST(GrowingImages, ASmallerBudgetIsFinishedAtTheLastSize) {
    Folder folder("images-finish");
    auto config = with_budget(24);
    config.optimization.cooldown = 0.5;
    config.run.finish_at = {configs::Budget{configs::Budget::of_text(config.run.budget).amount / 4,
                                            configs::Budget::Of::kFlops}
                                .to_string()};
    ASSERT_EQ(value_or_throw(start(config, folder.path)->run()), RunStatus::kDone);
    const auto smaller = configs::Budget::of_text(config.run.finish_at.front());
    ASSERT_TRUE(fork_at(folder.path, config, smaller));
    const auto fork = finish_folder(folder.path, smaller);
    auto trainer = value_or_throw(Trainer::resume(finish_config(config, smaller), fork));
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    EXPECT_EQ(run_json(fork).at("resolution").at("now"), 16);
    EXPECT_GE(run_json(fork).at("best_step"), 0);
}

TEST(GrowingImages, WaitUntilABlockThatWasSplitHasBeenJudged) {
    Folder folder("images-split");
    auto config = growing_images();
    config.run.epochs = 12;
    config.data.resolution = {"8", "16@20%"};
    config.growth.enabled = true;
    config.growth.start = 0.01;
    config.growth.limits.max_flops_ratio = 10;
    config.controller.policy = configs::Policy::kClock;
    config.controller.clock.ratio = 0.05;
    config.controller.clock.final_ratio = 0.01;
    config.controller.clock.first_step = 7;
    config.controller.clock.guard_steps = 6;
    config.controller.clock.guard_margin = 5;
    ASSERT_EQ(value_or_throw(start(config, folder.path)->run()), RunStatus::kDone);
    const auto splits = events_of(folder.path, "split");
    const auto changes = events_of(folder.path, "resolution");
    ASSERT_GE(splits.size(), 2U);
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(splits[0].at("step"), 7);
    EXPECT_EQ(changes[0].at("step"), 13) << "its share begins at step 10";
    EXPECT_GE(splits[1].at("step"), 19) << "the guard's losses are those of the new size";
    EXPECT_EQ(run_json(folder.path).at("splits").at("taken_back"), 0);
    expect_replays(folder.path);
}

TEST(GrowingImages, ACheckpointWithSizesInNoOrderIsRefused) {
    const auto config = growing_images();
    const auto data = value_or_throw(open_data(config));
    const auto host = value_or_throw(make_host(config, data->info()));
    const auto images = value_or_throw(GrowingImages::make(config, data, *host));
    ASSERT_TRUE(images->restore({{3, 1, 0}, {6, 2, 1}}));
    EXPECT_EQ(images->side(), 16);
    for (const std::vector<GrowingImages::Change>& wrong :
         std::vector<std::vector<GrowingImages::Change>>{{{3, 3, 0}},
                                                         {{3, 0, 0}},
                                                         {{6, 1, 1}, {3, 2, 0}},
                                                         {{3, 2, 0}, {6, 1, 1}},
                                                         {{3, 1, -1}}}) {
        const auto refused = images->restore(wrong);
        ASSERT_FALSE(refused);
        EXPECT_TRUE(refused.error().is(TolariaError::kBadCheckpoint));
    }
    EXPECT_EQ(images->side(), 16) << "nothing has changed";
}

TEST(GrowingImages, TheLastSizeIsThatOfTheData) {
    auto config = growing_images();
    config.data.resolution = {"20"};
    EXPECT_EQ(value_or_throw(open_data(config))->info().input_shape,
              (std::vector<std::int64_t>{3, 20, 20}));
    config.data.resolution = {"16", "40@50%"};
    const auto larger = open_data(config);
    ASSERT_FALSE(larger);
    EXPECT_TRUE(larger.error().is(DataError::kBadOption));
    EXPECT_NE(larger.error().message().find("data.resolution: 40 pixels, but the images of 'drawn' "
                                            "have 32 x 32"),
              std::string::npos)
        << larger.error().message();
}

TEST(GrowingImages, ANetworkThatDoesNotTakeASizeIsRefusedBeforeAnythingIsWritten) {
    Folder folder("images-mlp");
    auto config = growing_images();
    config.model.host = configs::Host::kMlp;
    config.model.depth = 2;
    const auto trainer = Trainer::create(config, folder.path);
    ASSERT_FALSE(trainer);
    EXPECT_TRUE(trainer.error().is(TolariaError::kUnsupported));
    EXPECT_NE(trainer.error().message().find("does not take images of 8 x 8 pixels"),
              std::string::npos)
        << trainer.error().message();
    EXPECT_FALSE(fs::exists(folder.path));
    config = growing_images();
    config.model.host = configs::Host::kVgg;
    config.model.depth = 8;
    config.data.resolution = {"16", "32@50%"};
    const auto vgg = Trainer::create(config, folder.path);
    ASSERT_FALSE(vgg);
    EXPECT_NE(vgg.error().message().find("does not take images of 16 x 16 pixels"),
              std::string::npos)
        << vgg.error().message();
}

TEST(GrowingImages, EarlyStoppingWaitsForTheLastSize) {
    Folder folder("images-early");
    auto config = growing_images();
    config.run.epochs = 8;
    config.optimization.early_stopping.patience = configs::Duration::epochs(1);
    config.optimization.early_stopping.min_delta = 100;
    ASSERT_EQ(value_or_throw(start(config, folder.path)->run()), RunStatus::kDone);
    const auto run = run_json(folder.path);
    EXPECT_EQ(run.at("resolution").at("now"), 16);
    EXPECT_NE(run.at("ended_early"), "");
    EXPECT_EQ(run.at("steps"), 24) << "two epochs after the last change, of which the second is "
                                      "no better";
}

}  // namespace
}  // namespace esper::tolaria
