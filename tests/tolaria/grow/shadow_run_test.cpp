// Whole runs under growth.isolation: shadow, on each kind of host.

#include "tolaria/resumed_runs.h"
#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;

configs::EsperConfig on_drawn_images(configs::Host host) {
    auto config = growing();
    config.data.kind = configs::DataKind::kDrawn;
    config.data.path = "";
    config.data.split = {};
    config.data.train_examples = 400;
    config.data.batch_size = 16;
    config.model.host = host;
    config.growth.blueprints = {};
    config.growth.gate.min_examples = 20;  // the probe part has forty
    return config;
}

configs::EsperConfig mlp() {
    auto config = on_drawn_images(configs::Host::kMlp);
    config.model.width = 16;
    return config;
}

configs::EsperConfig resnet() {
    auto config = on_drawn_images(configs::Host::kResnet);
    config.run.epochs = 8;
    config.run.steps_per_epoch = 4;
    config.model.depth = 8;
    config.model.width = 4;
    config.data.augment = {true, 2, 0};
    config.optimization.optimizer = configs::Optimizer::kSgd;
    config.optimization.learning_rate = 0.05;
    config.growth.blueprints = {"conv_block_3x3", "squeeze_excite"};
    return config;
}

configs::EsperConfig gpt() {
    auto config = growing();
    config.growth.blueprints = {"low_rank", "bottleneck_mlp", "transformer_block"};
    config.growth.seeds_per_anchor = 2;
    config.run.epochs = 8;
    return config;
}

struct Case {
    const char* name;
    configs::EsperConfig (*config)();
};

class ShadowRun : public testing::TestWithParam<Case> {
  protected:
    static configs::EsperConfig config() {
        auto config = GetParam().config();
        config.growth.isolation = configs::Isolation::kShadow;
        config.controller.tournament.candidates = 2;
        config.controller.tournament.random_entrants = 0;
        return config;
    }
};

// A seed in isolation is heard by nobody: until the first one is blended in, every figure of the
// host is that of the run that never grows, to the last digit.
TEST_P(ShadowRun, GivesTheHostsLossesOfTheRunThatNeverGrowsUntilTheFirstGraft) {
    auto grows = config();
    grows.growth.gate.rent = -100;  // whatever a seed does, it is blended in
    Folder grown("shadow-grown");
    ASSERT_EQ(value_or_throw(start(grows, grown.path)->run()), RunStatus::kDone);
    const auto grafts = decisions_of(grown.path, "graft");
    const auto germinations = decisions_of(grown.path, "germinate");
    ASSERT_FALSE(grafts.empty()) << "no seed was blended in";
    const auto germinated = germinations.front().at("step").get<std::int64_t>();
    const auto grafted = grafts.front().at("step").get<std::int64_t>();
    ASSERT_GT(grafted, germinated);

    Folder never("shadow-never");
    auto plain = config();
    plain.controller.policy = configs::Policy::kNever;
    ASSERT_EQ(value_or_throw(start(plain, never.path)->run()), RunStatus::kDone);
    EXPECT_TRUE(decisions_of(never.path, "germinate").empty());

    const auto with = metrics_of(grown.path);
    const auto without = metrics_of(never.path);
    ASSERT_EQ(with.size(), without.size());
    int in_isolation = 0;
    bool differs_later = false;
    for (std::size_t i = 0; i < with.size(); ++i) {
        const auto step = std::stoll(with[i].at("step"));
        in_isolation += step > germinated && step <= grafted;
        for (const auto* column : {"train_loss", "val_loss", "val_accuracy", "learning_rate"}) {
            if (step <= grafted) {
                EXPECT_EQ(with[i].at(column), without[i].at(column)) << column << " " << step;
            } else {
                differs_later |= with[i].at(column) != without[i].at(column);
            }
        }
    }
    EXPECT_GE(in_isolation, 1) << "no epoch passed with a seed in isolation";
    EXPECT_TRUE(differs_later) << "the seed that was blended in changed nothing";
}

TEST_P(ShadowRun, StoppedAndResumedInEachStateOfItsSeedsEndsWithTheSameBits) {
    Folder whole("shadow-whole");
    Folder pieces("shadow-pieces");
    ASSERT_EQ(value_or_throw(start(config(), whole.path)->run()), RunStatus::kDone);
    EXPECT_GE(run_json(whole.path).at("seeds").at("germinated"), 1);
    const auto last = config().run.epochs * config().run.steps_per_epoch;
    run_in_pieces(config(), pieces.path, steps_in_each_state(whole.path, last));
    expect_same_run(whole.path, pieces.path);
    expect_replays(pieces.path);
}

INSTANTIATE_TEST_SUITE_P(EveryHost, ShadowRun,
                         testing::Values(Case{"mlp", mlp}, Case{"resnet", resnet},
                                         Case{"gpt", gpt}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace esper::tolaria
