#include <algorithm>

#include "tolaria/resumed_runs.h"
#include "tolaria/trainer_access.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;

/// Two blocks are split, the first by step 8; the guard looks six steps later.
configs::EsperConfig clocked() {
    auto config = small();
    config.run.epochs = 8;
    config.run.steps_per_epoch = 6;
    config.growth.enabled = true;
    config.growth.start = 0.01;
    config.growth.limits.max_flops_ratio = 10;
    config.controller.policy = configs::Policy::kClock;
    config.controller.clock.ratio = 1;
    config.controller.clock.final_ratio = 0.5;
    config.controller.clock.first_step = 7;
    config.controller.clock.guard_steps = 6;
    config.controller.clock.guard_margin = 5;
    return config;
}

void finish(Trainer& trainer) {
    trainer.stop_after(1'000'000);
    ASSERT_EQ(value_or_throw(trainer.run()), RunStatus::kDone);
}

std::map<std::string, at::Tensor> tensors_of(Trainer& trainer) {
    auto saved = Tensors{};
    for (const auto& block : trainer.store().blocks()) saved[block->name] = block->flat.clone();
    for (const auto& [name, t] : trainer.store().buffers()) saved["buffer." + name] = t.clone();
    for (const auto& [name, s] : TrainerTestAccess::learner(trainer).optimizer().state()) {
        saved["first." + name] = s.first.clone();
        if (s.second.defined()) saved["second." + name] = s.second.clone();
    }
    return saved;
}

void expect_equal(const std::map<std::string, at::Tensor>& a,
                  const std::map<std::string, at::Tensor>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (const auto& [name, tensor] : a) {
        ASSERT_TRUE(b.contains(name)) << name;
        EXPECT_TRUE(at::equal(tensor, b.at(name))) << name;
    }
}

TEST(Splits, TheClockSplitsBlocksAndTheRunSaysSo) {
    Folder folder("splits");
    const auto config = clocked();
    auto trainer = start(config, folder.path);
    finish(*trainer);
    const auto events = events_of(folder.path, "split");
    ASSERT_GE(events.size(), 2U);
    EXPECT_EQ(events[0].at("block"), "blocks.0");
    EXPECT_EQ(events[0].at("copy"), "blocks.0-2");
    EXPECT_EQ(events[1].at("copy"), "blocks.0-3");
    EXPECT_GE(events[1].at("step"), events[0].at("step").get<int>() + 6);
    EXPECT_EQ(events_of(folder.path, "split_kept").at(0).at("split_step"), events[0].at("step"));
    const auto run = run_json(folder.path);
    EXPECT_EQ(run.at("splits").at("made"), events.size());
    EXPECT_EQ(run.at("splits").at("taken_back"), 0);
    EXPECT_EQ(run.at("waiting_for"), "");
    EXPECT_GT(run.at("parameters"), run.at("parameters_initial"));
    EXPECT_NE(trainer->program()->find_anchor("blocks.0-2"), nullptr);
    EXPECT_EQ(trainer->seed_slots(), 1 + events.size()) << "a copy has places for seeds, too";
    EXPECT_TRUE(events_of(folder.path, "health").empty()) << "the clock asks no slot how it is";
    EXPECT_EQ(run.at("flops").at("measuring"), 0.0);
    expect_replays(folder.path);
}

// A checkpoint for the smaller budget is kept where its cool-down begins: what is split just before
// would have no steps to learn in.
TEST(Splits, WaitForTheCoolDownOfASmallerBudgetThatBeginsSoon) {
    auto config = clocked();
    const auto data = value_or_throw(open_data(config));
    const auto host = value_or_throw(make_host(config, data->info()));
    const double step =
        training_flops(value_or_throw(graph::count_cost(*host)), examples_a_step(config, *data));
    const auto text = [&](double steps) {
        return configs::Budget{steps * step, configs::Budget::Of::kFlops}.to_string();
    };
    config.optimization.cooldown = 0.5;
    config.run.budget = text(100);
    config.controller.clock.first_step = 8;
    const auto first_split = [](const configs::EsperConfig& of, const std::string& name) {
        Folder folder(name);
        auto trainer = start(of, folder.path);
        while (events_of(folder.path, "split").empty() && trainer->step() < 30)
            run_one_step(*trainer);
        return events_of(folder.path, "split").at(0).at("step").get<std::int64_t>();
    };
    config.run.finish_at = {text(80)};  // its cool-down begins after 40 steps
    EXPECT_EQ(first_split(config, "splits-far"), 8);
    config.run.finish_at = {text(24)};  // after 12
    const auto late = first_split(config, "splits-near");
    EXPECT_GE(late, 11);
    EXPECT_LE(late, 13);
}

TEST(Splits, AResumedRunIsTheSameRun) {
    Folder whole("splits-whole"), pieces("splits-pieces");
    const auto config = clocked();
    auto trainer = start(config, whole.path);
    finish(*trainer);
    std::set<std::int64_t> steps;
    for (const auto& event : events_of(whole.path, "split")) {
        const auto step = event.at("step").get<std::int64_t>();
        for (auto near : {step - 1, step, step + 1, step + 6}) steps.insert(near);
    }
    std::erase_if(steps, [&](auto s) { return s >= trainer->length().total_steps; });
    trainer.reset();
    run_in_pieces(config, pieces.path, steps);
    expect_same_run(whole.path, pieces.path);
}

TEST(Splits, TheGuardTakesASplitBackToTheBit) {
    Folder folder("splits-guard");
    auto config = clocked();
    config.controller.clock.guard_margin = 0.02;
    config.checkpoint.keep = 1;
    config.checkpoint.every = configs::Duration::batches(2);
    config.checkpoint.rollback.enabled = false;
    auto trainer = start(config, folder.path);
    std::map<std::string, at::Tensor> before;
    std::string hash;
    while (events_of(folder.path, "split").empty()) {
        before = tensors_of(*trainer);
        hash = trainer->program()->hash().hex();
        run_one_step(*trainer);
    }
    const auto split = events_of(folder.path, "split").at(0);
    const double spent = run_json(folder.path).at("flops_total");
    // As a learning rate that is far too high would: the network knows nothing any more.
    at::Tensor(trainer->store().find_block("host")->flat).mul_(30);
    trainer->on_event([&](const nlohmann::json& event) {
        if (event.at("event") == "rollback") trainer->stop_after(-1'000'000);
    });
    trainer->stop_after(1'000'000);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kStopped);
    const auto back = events_of(folder.path, "rollback").at(0);
    EXPECT_EQ(back.at("trouble"), "split");
    EXPECT_EQ(back.at("to_step"), split.at("step"));
    EXPECT_EQ(back.at("step"), split.at("step").get<int>() + 6);
    EXPECT_EQ(back.at("failed_split").at("block"), "blocks.0");
    EXPECT_EQ(back.at("rate_factor"), 1.0);
    EXPECT_EQ(trainer->step(), split.at("step"));
    EXPECT_EQ(trainer->program()->hash().hex(), hash);
    expect_equal(tensors_of(*trainer), before);

    trainer.reset();
    trainer = value_or_throw(Trainer::resume(config, folder.path));
    finish(*trainer);
    const auto run = run_json(folder.path);
    EXPECT_EQ(run.at("splits").at("taken_back"), 1);
    EXPECT_GT(run.at("flops_total"), spent) << "what the split cost is not forgotten";
    const auto splits = events_of(folder.path, "split");
    if (splits.size() > 1) {
        EXPECT_GT(splits[1].at("step"), split.at("step")) << "not again at the same place";
        EXPECT_GE(splits[1].at("evidence").at("examples_per_parameter"), 2.0);
    }
    expect_replays(folder.path);
}

TEST(Splits, RepeatedExamplesCountOnceUnlessTheyAreToCountEachTime) {
    auto config = clocked();
    config.data.train_examples = 40;  // 640 characters, a fifth of the parameters
    for (const bool repeats : {false, true}) {
        Folder folder("splits-fresh");
        config.controller.clock.count_repeats = repeats;
        finish(*start(config, folder.path));
        EXPECT_EQ(events_of(folder.path, "split").empty(), !repeats);
        const std::string why = run_json(folder.path).at("waiting_for");
        EXPECT_EQ(why.find("controller.clock.ratio") != std::string::npos, !repeats) << why;
    }
}

TEST(Splits, WithoutAResidualBlockNothingIsSplitAndTheRunSaysWhy) {
    Folder folder("splits-none");
    auto config = clocked();
    config.model.host = configs::Host::kVgg;
    config.model.depth = 8;
    config.model.width = 2;
    config.data.kind = configs::DataKind::kDrawn;
    config.data.path.clear();
    config.data.train_examples = 64;
    config.data.batch_size = 4;
    config.run.epochs = 3;
    finish(*start(config, folder.path));
    EXPECT_EQ(run_json(folder.path).at("waiting_for"), "no block of this network can be split");
}

}  // namespace
}  // namespace esper::tolaria
