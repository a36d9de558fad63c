// The honest counterfactual of the gates, in whole runs.

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>
#include <sstream>

#include "esper/services/tolaria/learn/evaluation.h"
#include "esper/services/tolaria/run/trainer.h"
#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;
using testing_runs::Folder;

/// The second germination is a sham without parameters, which is blended in at once.
configs::EsperConfig with_shams() {
    auto config = testing_runs::tiny_gpt();
    config.run.epochs = 12;
    config.growth.blueprints = {"low_rank"};
    config.growth.sham = true;
    config.growth.graft_steps = 3;
    config.growth.training = configs::Duration::epochs(1);
    config.growth.stabilization = configs::Duration::epochs(1);
    config.growth.fine_tune = configs::Duration::epochs(1);
    config.growth.embargo = configs::Duration::epochs(1);
    config.growth.gate.lag = configs::Duration::batches(4);
    config.growth.gate.budget = configs::Duration::epochs(1);
    config.growth.gate.min_examples = 100;
    config.growth.gate.fork_share = 1;
    config.controller.policy = configs::Policy::kPeriodic;
    config.controller.period = configs::Duration::epochs(1);
    config.checkpoint.every = configs::Duration::epochs(1);
    return config;
}

std::vector<nlohmann::json> events(const fs::path& folder, const std::string& kind) {
    std::vector<nlohmann::json> found;
    std::istringstream lines(value_or_throw(read_file(folder / "events.jsonl")));
    for (std::string line; std::getline(lines, line);) {
        auto event = nlohmann::json::parse(line);
        if (event.at("event") == kind) found.push_back(std::move(event));
    }
    return found;
}

std::vector<nlohmann::json> measured_forks(const fs::path& folder) {
    std::vector<nlohmann::json> found;
    for (auto& gate : events(folder, "gate"))
        if (gate.contains("fork") && gate["fork"].at("measured")) found.push_back(gate);
    return found;
}

TEST(GrowthFork, IsTheRunThatNeverBlendedTheSeedIn) {
    Folder grown("grown");
    const auto config = with_shams();
    {
        auto run = value_or_throw(Trainer::create(config, grown.path));
        ASSERT_EQ(value_or_throw(run->run()), RunStatus::kDone);
    }
    const auto forks = measured_forks(grown.path);
    ASSERT_FALSE(forks.empty()) << "no seed was compared with a fork";
    const auto& first = forks.front();
    const auto step = first.at("step").get<std::int64_t>();
    EXPECT_GT(step, first["fork"].at("from_step").get<std::int64_t>());

    Folder plain("plain");
    auto never = config;
    never.growth.enabled = false;
    auto run = value_or_throw(Trainer::create(never, plain.path));
    auto* raw = run.get();
    run->on_progress([raw, step](const Progress& p) {
        if (p.validation_loss && p.step == step) raw->request_stop();
    });
    ASSERT_EQ(value_or_throw(run->run()), RunStatus::kStopped);
    ASSERT_EQ(run->step(), step);
    const auto data = value_or_throw(open_data(never));
    const auto order = tamiyo::probe_order(never.run.seed, data->size(Part::kProbe));
    const auto walked = first["fork"].at("walked").get<std::size_t>();
    ASSERT_GE(walked, 100U);
    const auto seen = value_or_throw(losses_of(run->engine(), run->program(), run->store(), *data,
                                               Part::kProbe, 32, std::span(order).first(walked)));
    EXPECT_EQ(first["fork"].at("loss_without").get<double>(),
              std::accumulate(seen.begin(), seen.end(), 0.0) / static_cast<double>(seen.size()));
}

TEST(GrowthFork, BothAnswersStandInTheEvidenceAndTheForksCostIsCounted) {
    Folder folder("evidence");
    {
        auto run = value_or_throw(Trainer::create(with_shams(), folder.path));
        ASSERT_EQ(value_or_throw(run->run()), RunStatus::kDone);
    }
    const auto forks = measured_forks(folder.path);
    ASSERT_FALSE(forks.empty());
    EXPECT_GT(forks[0]["fork"].at("flops").get<double>(), 0);
    bool judged = false;
    for (const auto& decision : events(folder.path, "decision")) {
        const auto& evidence = decision.at("evidence");
        judged |= evidence.contains("mean") && evidence.contains("fork_mean");
    }
    EXPECT_TRUE(judged);
}

TEST(GrowthFork, SurvivesACheckpointToTheBit) {
    Folder undisturbed("undisturbed");
    const auto config = with_shams();
    auto one = value_or_throw(Trainer::create(config, undisturbed.path));
    ASSERT_EQ(value_or_throw(one->run()), RunStatus::kDone);
    const auto forks = measured_forks(undisturbed.path);
    ASSERT_FALSE(forks.empty());
    // While a fork is kept: between the graft and its first look.
    const auto from = forks[0]["fork"].at("from_step").get<std::int64_t>();
    Folder stopped("stopped");
    {
        auto two = value_or_throw(Trainer::create(config, stopped.path));
        auto* raw = two.get();
        two->on_progress([raw, from](const Progress& p) {
            if (p.validation_loss && p.step == from) raw->request_stop();
        });
        ASSERT_EQ(value_or_throw(two->run()), RunStatus::kStopped);
    }
    auto resumed = value_or_throw(Trainer::resume(config, stopped.path));
    ASSERT_EQ(value_or_throw(resumed->run()), RunStatus::kDone);
    EXPECT_TRUE(at::equal(one->store().blocks()[0]->flat, resumed->store().blocks()[0]->flat));
    EXPECT_EQ(value_or_throw(read_file(undisturbed.path / "events.jsonl")),
              value_or_throw(read_file(stopped.path / "events.jsonl")));
}

}  // namespace
}  // namespace esper::tolaria
