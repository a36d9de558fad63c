#include "esper/services/tolaria/run/trainer.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "tolaria/metrics_text.h"
#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;
using testing_runs::Folder;

configs::EsperConfig tiny() {
    auto config = testing_runs::tiny_gpt();
    config.data.batch_size = 64;
    return config;
}

at::Tensor host_values(Trainer& trainer) { return trainer.store().blocks().front()->flat; }

TEST(Trainer, LearnsAndWritesItsFolder) {
    Folder folder("learns");
    auto trainer = value_or_throw(Trainer::create(tiny(), folder.path));
    std::vector<double> losses;
    trainer->on_progress([&](const Progress& p) {
        if (p.validation_loss) losses.push_back(*p.validation_loss);
    });
    EXPECT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    ASSERT_EQ(losses.size(), 3U);
    EXPECT_LT(losses.back(), losses.front());
    for (const auto* name : {"config.yaml", "run.json", "metrics.csv", "events.jsonl"})
        EXPECT_TRUE(fs::exists(folder.path / name)) << name;
}

TEST(Trainer, ASeedThatStillLearnsAtTheEndIsCancelled) {
    Folder folder("cancels");
    auto config = tiny();
    config.growth.training = configs::Duration::batches(1);
    config.growth.graft_steps = 1;
    config.growth.stabilization = configs::Duration::batches(1);
    config.growth.fine_tune = configs::Duration::batches(1);
    config.growth.gate.lag = configs::Duration::epochs(9);
    config.growth.gate.rent = 1000;  // nothing is worth that: the gate never says keep
    config.growth.start = 0.3;
    config.growth.blueprints = {"bottleneck_mlp"};
    config.controller.policy = configs::Policy::kPeriodic;
    auto trainer = value_or_throw(Trainer::create(config, folder.path));
    const auto host = trainer->program()->hash();
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    EXPECT_EQ(trainer->program()->hash(), host);
    const auto run =
        nlohmann::json::parse(value_or_throw(read_file(folder.path / "run.json"))).at("seeds");
    EXPECT_EQ(run.at("germinated"), 1);
    EXPECT_EQ(run.at("cancelled"), 1);
}

TEST(Trainer, AStoppedAndResumedRunEndsBitEqualToAnUndisturbedOne) {
    Folder undisturbed("undisturbed");
    Folder stopped("stopped");
    auto one = value_or_throw(Trainer::create(tiny(), undisturbed.path));
    ASSERT_EQ(value_or_throw(one->run()), RunStatus::kDone);
    {
        auto two = value_or_throw(Trainer::create(tiny(), stopped.path));
        auto* raw = two.get();
        two->on_progress([raw](const Progress& p) {
            if (p.epoch == 1) raw->request_stop();
        });
        ASSERT_EQ(value_or_throw(two->run()), RunStatus::kStopped);
        EXPECT_LT(two->step(), two->length().total_steps);
    }
    auto resumed = value_or_throw(Trainer::resume(tiny(), stopped.path));
    ASSERT_EQ(value_or_throw(resumed->run()), RunStatus::kDone);
    EXPECT_TRUE(at::equal(host_values(*one), host_values(*resumed)));
    auto text = [](const fs::path& p) { return value_or_throw(read_file(p)); };
    EXPECT_EQ(testing_runs::metrics_but_time(text(undisturbed.path / "metrics.csv")),
              testing_runs::metrics_but_time(text(stopped.path / "metrics.csv")));
}

configs::EsperConfig growing() {
    auto config = tiny();
    config.run.epochs = 10;
    config.data.batch_size = 32;
    config.growth.blueprints = {"low_rank"};
    config.growth.graft_steps = 4;
    config.growth.training = configs::Duration::epochs(1);
    config.growth.stabilization = configs::Duration::epochs(1);
    config.growth.fine_tune = configs::Duration::epochs(1);
    config.growth.gate.lag = configs::Duration::batches(4);
    config.growth.gate.min_examples = 100;
    config.controller.policy = configs::Policy::kPeriodic;
    config.controller.period = configs::Duration::epochs(2);
    config.checkpoint.every = configs::Duration::epochs(1);
    return config;
}

TEST(Trainer, AGrowingRunReplaysFromItsJournalAndResumesToTheSameBits) {
    Folder undisturbed("grown");
    Folder stopped("grown-stopped");
    auto one = value_or_throw(Trainer::create(growing(), undisturbed.path));
    ASSERT_EQ(value_or_throw(one->run()), RunStatus::kDone);
    auto entries = value_or_throw(graph::read_journal(undisturbed.path / "journal.jsonl"));
    EXPECT_GT(entries.size(), 1U) << "nothing germinated";
    EXPECT_EQ(value_or_throw(graph::replay(entries))->hash(), one->program()->hash());
    {
        auto two = value_or_throw(Trainer::create(growing(), stopped.path));
        auto* raw = two.get();
        two->on_progress([raw](const Progress& p) {
            if (p.validation_loss && p.epoch == 3) raw->request_stop();
        });
        ASSERT_EQ(value_or_throw(two->run()), RunStatus::kStopped);
    }
    auto resumed = value_or_throw(Trainer::resume(growing(), stopped.path));
    ASSERT_EQ(value_or_throw(resumed->run()), RunStatus::kDone);
    EXPECT_EQ(resumed->program()->hash(), one->program()->hash());
    EXPECT_TRUE(at::equal(host_values(*one), host_values(*resumed)));
    auto text = [](const fs::path& p) { return value_or_throw(read_file(p)); };
    for (const auto* name : {"journal.jsonl", "events.jsonl"})
        EXPECT_EQ(text(undisturbed.path / name), text(stopped.path / name)) << name;
    EXPECT_EQ(testing_runs::metrics_but_time(text(undisturbed.path / "metrics.csv")),
              testing_runs::metrics_but_time(text(stopped.path / "metrics.csv")));
}

TEST(Trainer, RefusesToResumeAnotherNetwork) {
    Folder folder("another");
    ASSERT_TRUE(value_or_throw(Trainer::create(tiny(), folder.path)));
    auto config = tiny();
    config.model.width = 32;
    auto resumed = Trainer::resume(config, folder.path);
    ASSERT_FALSE(resumed);
    EXPECT_TRUE(resumed.error().is(TolariaError::kChangedRun)) << resumed.error().message();
}

TEST(Trainer, RefusesAFolderThatHoldsARun) {
    Folder folder("taken");
    ASSERT_TRUE(value_or_throw(Trainer::create(tiny(), folder.path)));
    auto again = Trainer::create(tiny(), folder.path);
    ASSERT_FALSE(again);
    EXPECT_TRUE(again.error().is(records::RecordsError::kBadRunFolder));
}

TEST(Trainer, RefusesAHostThatDoesNotFitTheData) {
    auto config = tiny();
    config.model.host = configs::Host::kResnet;
    Folder folder("misfit");
    auto trainer = Trainer::create(config, folder.path);
    ASSERT_FALSE(trainer);
    EXPECT_TRUE(trainer.error().is(TolariaError::kUnsupported));
}

TEST(Trainer, EndsARunWhoseLossIsNoNumberAnyMore) {
    auto config = tiny();
    config.optimization.learning_rate = 1e30;
    Folder folder("diverges");
    auto trainer = value_or_throw(Trainer::create(config, folder.path));
    auto status = trainer->run();
    ASSERT_FALSE(status);
    EXPECT_TRUE(status.error().is(TolariaError::kDiverged)) << status.error().to_string();
}

TEST(Trainer, PassesOverADamagedCheckpoint) {
    Folder folder("damaged");
    auto config = tiny();
    config.checkpoint.every = configs::Duration::epochs(1);
    {
        ASSERT_TRUE(value_or_throw(value_or_throw(Trainer::create(config, folder.path))->run()) ==
                    RunStatus::kDone);
    }
    CheckpointRing ring(folder.path / "checkpoints", 5);
    auto newest = value_or_throw(ring.find("last"));
    fs::resize_file(newest, fs::file_size(newest) / 2);
    auto resumed = value_or_throw(Trainer::resume(config, folder.path));
    EXPECT_LT(resumed->step(), resumed->length().total_steps);
    EXPECT_EQ(read_checkpoint(newest).error().room(), "files");
}

}  // namespace
}  // namespace esper::tolaria
