#include <set>

#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;

// Ends and resumes the run after every single step, in a new trainer each time.
void run_step_by_step(const configs::EsperConfig& config, const fs::path& folder) {
    auto status = run_one_step(*start(config, folder));
    while (status == RunStatus::kStopped)
        status = run_one_step(*value_or_throw(Trainer::resume(config, folder)));
    ASSERT_EQ(status, RunStatus::kDone);
}

void expect_exact_at_every_step(const configs::EsperConfig& config, const std::string& name) {
    Folder whole(name + "-whole");
    Folder pieces(name + "-pieces");
    ASSERT_EQ(value_or_throw(start(config, whole.path)->run()), RunStatus::kDone);
    run_step_by_step(config, pieces.path);
    expect_same_run(whole.path, pieces.path);
    expect_replays(whole.path);
}

TEST(Resume, AtEveryStepOfARunWithMomentumSgdIsExact) {
    auto config = small();
    config.optimization.optimizer = configs::Optimizer::kSgd;
    config.optimization.learning_rate = 0.1;
    expect_exact_at_every_step(config, "sgd");
}

TEST(Resume, AtEveryStepOfARunWithAdamwIsExact) {
    auto config = small();
    config.checkpoint.every = configs::Duration::batches(3);
    expect_exact_at_every_step(config, "adamw");
}

TEST(Resume, AtEveryStepOfABf16ResnetOnAugmentedImagesIsExact) {
    auto config = small();
    config.run.precision = configs::Precision::kBf16;
    config.data.kind = configs::DataKind::kDrawn;
    config.data.path = "";
    config.data.split = {};
    config.data.train_examples = 200;
    config.data.batch_size = 16;
    config.model.host = configs::Host::kResnet;
    config.model.depth = 8;
    config.model.width = 4;
    config.data.augment = {true, 3, 4};
    config.optimization.optimizer = configs::Optimizer::kSgd;
    expect_exact_at_every_step(config, "resnet");
}

TEST(Resume, AtEveryStepOfAGrowingRunIsExactWhateverStateItsSeedIsIn) {
    const auto config = growing();
    Folder whole("growing-whole");
    Folder pieces("growing-pieces");
    ASSERT_EQ(value_or_throw(start(config, whole.path)->run()), RunStatus::kDone);
    using execution::SeedState;
    std::set<SeedState> states;
    auto status = run_one_step(*start(config, pieces.path));
    while (status == RunStatus::kStopped) {
        auto trainer = value_or_throw(Trainer::resume(config, pieces.path));
        for (const auto& slot : trainer->growth()->kasmina().slots())
            states.insert(trainer->growth()->kasmina().state(slot.index));
        status = run_one_step(*trainer);
    }
    expect_same_run(whole.path, pieces.path);
    expect_replays(pieces.path);
    for (const auto state : {SeedState::kDormant, SeedState::kTraining, SeedState::kGrafting,
                             SeedState::kStabilization, SeedState::kFineTuning,
                             SeedState::kFossilized, SeedState::kCulled})
        EXPECT_TRUE(states.contains(state))
            << "no resume met a seed in " << contracts::to_text(state);
}

TEST(Resume, RefusesEveryKeyThatWouldMakeItAnotherRunAndNamesThemAll) {
    Folder folder("keys");
    ASSERT_TRUE(start(small(), folder.path));
    auto config = small();
    config.model.width = 32;
    config.data.batch_size = 8;
    config.run.threads = 2;
    config.run.precision = configs::Precision::kBf16;
    config.optimization.optimizer = configs::Optimizer::kSgd;
    const auto resumed = Trainer::resume(config, folder.path);
    ASSERT_FALSE(resumed);
    EXPECT_TRUE(resumed.error().is(TolariaError::kChangedRun)) << resumed.error().to_string();
    for (const auto* key : {"model.width", "data.batch_size", "run.threads", "run.precision",
                            "optimization.optimizer"})
        EXPECT_NE(resumed.error().message().find(key), std::string::npos) << key;
    EXPECT_EQ(resumed.error().message().find("data.kind"), std::string::npos);
}

TEST(Resume, TakesOtherKeysOverAndWritesThemDown) {
    Folder folder("longer");
    ASSERT_EQ(value_or_throw(start(small(), folder.path)->run()), RunStatus::kDone);
    const auto again = Trainer::resume(small(), folder.path);
    ASSERT_FALSE(again);
    EXPECT_TRUE(again.error().is(TolariaError::kAlreadyDone)) << again.error().to_string();
    auto longer = small();
    longer.run.epochs = 4;
    ASSERT_EQ(value_or_throw(value_or_throw(Trainer::resume(longer, folder.path))->run()),
              RunStatus::kDone);
    EXPECT_EQ(run_json(folder.path).at("epochs"), 4);
    const auto events = events_of(folder.path, "resumed_with");
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].at("keys").at("run.epochs").at("to"), "4");
    EXPECT_NE(text_of(folder.path / "config.yaml").find("epochs: 4"), std::string::npos);
}

TEST(Resume, OfARunThatIsStillRunningIsRefused) {
    Folder folder("running");
    const auto running = start(small(), folder.path);
    const auto second = Trainer::resume(small(), folder.path);
    ASSERT_FALSE(second);
    EXPECT_TRUE(second.error().is(records::RecordsError::kFolderInUse))
        << second.error().to_string();
}

}  // namespace
}  // namespace esper::tolaria
