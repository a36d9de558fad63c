// Keys that no other test sets in a real run: each is set to another value than its default, and
// must show in what the run leaves behind, in the way that its description promises.

#include <ATen/ATen.h>

#include <cmath>
#include <memory>

#include "tolaria/resumed_runs.h"
#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;
using configs::EsperConfig;

/// A run that is over, and its folder.
struct Ended {
    Folder folder;
    std::unique_ptr<Trainer> trainer;
    nlohmann::json run;
    std::vector<std::map<std::string, std::string>> metrics;

    Ended(const EsperConfig& config, const std::string& name)
        : folder(name), trainer(start(config, folder.path)) {
        EXPECT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
        run = run_json(folder.path);
        metrics = metrics_of(folder.path);
    }
    std::vector<nlohmann::json> events(const std::string& kind) const {
        return events_of(folder.path, kind);
    }
    double last_loss() const { return run.at("train_loss"); }
    double host_norm() const {
        return at::linalg_vector_norm(trainer->store().blocks().front()->flat, 2).item<double>();
    }
    double last_rate() const { return std::stod(metrics.back().at("learning_rate")); }
};

struct Case {
    const char* key;
    EsperConfig (*base)();
    void (*change)(EsperConfig&);
    void (*check)(const Ended& with_default, const Ended& changed);
};

class LiveKey : public testing::TestWithParam<Case> {};

TEST_P(LiveKey, ShowsInWhatTheRunLeavesBehind) {
    const auto& c = GetParam();
    auto config = c.base();
    const Ended before(config, "key-default");
    c.change(config);
    const Ended after(config, "key-changed");
    c.check(before, after);
}

EsperConfig with_sgd() {
    auto config = small();
    config.optimization.optimizer = configs::Optimizer::kSgd;
    config.optimization.learning_rate = 0.1;
    return config;
}

/// Four slots, three blueprints, one germination an epoch.
EsperConfig with_a_tournament() {
    auto config = growing();
    config.run.epochs = 4;
    config.growth.seeds_per_anchor = 2;
    config.growth.blueprints = {"low_rank", "bottleneck_mlp", "transformer_block"};
    config.growth.training = configs::Duration::epochs(1);
    config.growth.fine_tune = configs::Duration::batches(1);
    config.growth.stabilization = configs::Duration::batches(1);
    return config;
}

/// Grows as soon as the loss is stuck, which it is when it falls by less than a half an epoch.
EsperConfig on_a_plateau() {
    auto config = with_a_tournament();
    config.run.epochs = 7;
    config.controller.policy = configs::Policy::kPlateau;
    config.controller.plateau.patience = 1;
    config.controller.plateau.threshold = 0.5;
    return config;
}

/// Whatever a seed does, it is kept.
EsperConfig that_keeps() {
    auto config = growing();
    config.growth.gate.rent = -100;
    config.growth.limits.max_fossilized = 1;
    config.checkpoint.keep = 20;  // the one at which it is kept is looked at
    return config;
}

/// Its learning rate is so high that the loss jumps.
EsperConfig with_spikes() {
    auto config = small();
    config.run.epochs = 4;
    config.run.steps_per_epoch = 6;
    config.optimization.optimizer = configs::Optimizer::kSgd;
    config.optimization.learning_rate = 30;
    config.optimization.clip_norm = 0;
    config.checkpoint.rollback.max_rollbacks = 40;
    config.checkpoint.rollback.spike_window = 5;
    return config;
}

int spikes(const Ended& run) {
    int count = 0;
    for (const auto& event : run.events("rollback")) count += event.at("trouble") == "spike";
    return count;
}

/// Anchors of the pairs whose gain was measured at the first boundary where any was.
std::vector<std::string> measured_first(const Ended& run) {
    std::vector<std::string> anchors;
    nlohmann::json step;
    for (const auto& e : run.events("readout")) {
        if (step.is_null()) step = e.at("step");
        if (e.at("step") == step) anchors.push_back(e.at("anchor"));
    }
    return anchors;
}

std::size_t places_of(const std::vector<std::string>& anchors) {
    return std::set<std::string>(anchors.begin(), anchors.end()).size();
}

std::int64_t first_germination(const Ended& run) {
    const auto all = decisions_of(run.folder.path, "germinate");
    return all.empty() ? -1 : all.front().at("step").get<std::int64_t>();
}

/// How far the first kept seed's parameters went between being kept and the end.
double way_of_the_kept(const Ended& run) {
    const auto kept = decisions_of(run.folder.path, "fossilize");
    EXPECT_FALSE(kept.empty()) << "nothing was kept";
    if (kept.empty()) return -1;
    const auto step = kept.front().at("step").get<std::int64_t>();
    const auto name = "block.seed." + kept.front().at("seed").get<std::string>();
    const auto at_step = [&](const std::string& which) {
        const CheckpointRing ring(run.folder.path / "checkpoints", 100);
        return value_or_throw(read_checkpoint(value_or_throw(ring.find(which)))).tensors.at(name);
    };
    const auto last = run.trainer->length().total_steps;
    EXPECT_LT(step, last);
    return (at_step(std::to_string(last)) - at_step(std::to_string(step)))
        .abs()
        .max()
        .item<double>();
}

int regular_checkpoints(const Ended& run) {
    int count = 0;
    for (const auto& entry : fs::directory_iterator(run.folder.path / "checkpoints"))
        count += entry.path().filename().string().starts_with("step-");
    return count;
}

void expect_another_way(const Ended& before, const Ended& after) {
    EXPECT_NE(before.last_loss(), after.last_loss());
    EXPECT_NE(before.host_norm(), after.host_norm());
}

const Case kCases[] = {
    {"optimization_momentum", with_sgd, [](EsperConfig& c) { c.optimization.momentum = 0; },
     expect_another_way},
    {"optimization_nesterov", with_sgd, [](EsperConfig& c) { c.optimization.nesterov = false; },
     expect_another_way},
    {"optimization_betas", small,
     [](EsperConfig& c) {
         c.optimization.betas = {0.5, 0.9};
     },
     expect_another_way},
    // Far above every gradient, it makes the steps tiny.
    {"optimization_eps", small, [](EsperConfig& c) { c.optimization.eps = 1e3; },
     [](const Ended& before, const Ended& after) {
         EXPECT_GT(after.last_loss(), before.last_loss() + 0.1);
     }},
    {"optimization_weight_decay", small, [](EsperConfig& c) { c.optimization.weight_decay = 5; },
     [](const Ended& before, const Ended& after) {
         // Twelve steps at rates up to 0.01, a few less for warm-up and cool-down, each take 5 %.
         EXPECT_LT(after.host_norm(), 0.8 * before.host_norm());
     }},
    {"optimization_schedule", small,
     [](EsperConfig& c) { c.optimization.schedule = configs::Schedule::kConstant; },
     [](const Ended& before, const Ended& after) {
         EXPECT_LT(before.last_rate(), 0.01);
         EXPECT_EQ(after.last_rate(), 0.01);
     }},
    {"optimization_label_smoothing", small,
     [](EsperConfig& c) { c.optimization.label_smoothing = 0.3; }, expect_another_way},
    {"model_dropout", small, [](EsperConfig& c) { c.model.dropout = 0.5; },
     [](const Ended& before, const Ended& after) {
         EXPECT_NE(before.run.at("program_sha256"), after.run.at("program_sha256"));
         // Half of the activations are missing while it trains, none while it is evaluated.
         EXPECT_GT(after.last_loss(), before.last_loss());
     }},
    {"model_classes", small, [](EsperConfig& c) { c.model.classes = 100; },
     [](const Ended& before, const Ended& after) {
         // Another row of 16 for each class that the text's 65 characters do not need.
         const auto more = after.run.at("parameters").get<std::int64_t>() -
                           before.run.at("parameters").get<std::int64_t>();
         EXPECT_GT(more, 0);
         EXPECT_EQ(more % (100 - 65), 0) << more;
     }},
    {"checkpoint_keep",
     [] {
         auto config = small();
         config.run.epochs = 8;
         config.checkpoint.every = configs::Duration::batches(1);
         return config;
     },
     [](EsperConfig& c) { c.checkpoint.keep = 2; },
     [](const Ended& before, const Ended& after) {
         EXPECT_EQ(regular_checkpoints(before), 5);
         EXPECT_EQ(regular_checkpoints(after), 2);
     }},
    {"checkpoint_rollback_spike_factor", with_spikes,
     [](EsperConfig& c) { c.checkpoint.rollback.spike_factor = 1e6; },
     [](const Ended& before, const Ended& after) {
         EXPECT_GE(spikes(before), 1);
         EXPECT_EQ(spikes(after), 0);
     }},
    {"growth_seeds_per_anchor", growing, [](EsperConfig& c) { c.growth.seeds_per_anchor = 4; },
     [](const Ended& before, const Ended& after) {
         EXPECT_EQ(before.trainer->seed_slots(), 2U);
         EXPECT_EQ(after.trainer->seed_slots(), 8U);
     }},
    // What the first gate sees of the first seed is another thing when it starts from other values.
    {"growth_readout_random", growing,
     [](EsperConfig& c) { c.growth.readout = configs::Readout::kRandom; },
     [](const Ended& before, const Ended& after) {
         EXPECT_NE(before.events("gate").at(0).at("mean"), after.events("gate").at(0).at("mean"));
     }},
    {"growth_readout_zero", growing,
     [](EsperConfig& c) { c.growth.readout = configs::Readout::kZero; },
     [](const Ended& before, const Ended& after) {
         EXPECT_NE(before.events("gate").at(0).at("mean"), after.events("gate").at(0).at("mean"));
     }},
    {"growth_freeze_fossilized", that_keeps,
     [](EsperConfig& c) { c.growth.freeze_fossilized = true; },
     [](const Ended& before, const Ended& after) {
         EXPECT_GT(way_of_the_kept(before), 0);
         EXPECT_EQ(way_of_the_kept(after), 0);
     }},
    {"growth_gate_rent_parameters", growing,
     [](EsperConfig& c) { c.growth.gate.rent_parameters = 0.5; },
     [](const Ended& before, const Ended& after) {
         EXPECT_EQ(before.events("gate").at(0).at("rent"), 0);
         // The parameters that the seed adds, in shares of the host's.
         const auto host = after.run.at("parameters_initial").get<double>();
         const double added = after.events("gate").at(0).at("rent").get<double>() / 0.5 * host;
         EXPECT_NEAR(added, std::round(added), 1e-6);
         EXPECT_GE(added, 16);
     }},
    {"controller_plateau_patience", on_a_plateau,
     [](EsperConfig& c) { c.controller.plateau.patience = 4; },
     [](const Ended& before, const Ended& after) {
         // The first epoch at which two, or five, losses are known.
         EXPECT_EQ(first_germination(before), 2 * 6);
         EXPECT_EQ(first_germination(after), 5 * 6);
     }},
    {"controller_plateau_threshold", on_a_plateau,
     [](EsperConfig& c) { c.controller.plateau.threshold = 0; },
     [](const Ended& before, const Ended& after) {
         EXPECT_GT(first_germination(before), 0);
         EXPECT_NE(first_germination(before), first_germination(after));
     }},
    {"controller_tournament_candidates", with_a_tournament,
     [](EsperConfig& c) { c.controller.tournament.candidates = 2; },
     [](const Ended& before, const Ended& after) {
         EXPECT_EQ(measured_first(before).size(), 12U) << "four slots, three blueprints";
         EXPECT_EQ(measured_first(after).size(), 3U) << "two and a random entrant";
     }},
    {"controller_tournament_places", with_a_tournament,
     [](EsperConfig& c) {
         c.controller.tournament.places = 1;
         c.controller.tournament.random_entrants = 0;
     },
     [](const Ended& before, const Ended& after) {
         EXPECT_EQ(places_of(measured_first(before)), 2U) << "two anchors of two slots";
         EXPECT_EQ(places_of(measured_first(after)), 1U);
         EXPECT_EQ(measured_first(after).size(), 3U) << "the three blueprints of one place";
     }},
    {"controller_tournament_random_entrants",
     [] {
         auto config = with_a_tournament();
         config.controller.tournament.candidates = 1;
         return config;
     },
     [](EsperConfig& c) { c.controller.tournament.random_entrants = 4; },
     [](const Ended& before, const Ended& after) {
         EXPECT_EQ(measured_first(before).size(), 2U);
         EXPECT_EQ(measured_first(after).size(), 5U);
     }},
    {"telemetry_health_ema",
     [] {
         auto config = on_a_plateau();
         config.controller.plateau.patience = 3;
         config.telemetry.every = 1;
         return config;
     },
     [](EsperConfig& c) { c.telemetry.health_ema = 1; },
     [](const Ended& before, const Ended& after) {
         const auto health = [](const Ended& run) {
             return decisions_of(run.folder.path, "germinate")
                 .at(0)
                 .at("evidence")
                 .at("health")
                 .get<double>();
         };
         EXPECT_NE(health(before), health(after)) << "of the mean, and of the last epoch alone";
     }},
    {"telemetry_every", growing, [](EsperConfig& c) { c.telemetry.every = 2; },
     [](const Ended& before, const Ended& after) {
         // Of the 66 steps, 6 and 33 are sampled.
         const auto samples = [](const Ended& run) {
             std::int64_t sum = 0;
             for (const auto& e : run.events("health"))
                 if (e.at("slot") == 0) sum += e.at("samples").get<std::int64_t>();
             return sum;
         };
         EXPECT_EQ(samples(before), 6);
         EXPECT_EQ(samples(after), 33);
     }},
};

INSTANTIATE_TEST_SUITE_P(Every, LiveKey, testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.key); });

}  // namespace
}  // namespace esper::tolaria
