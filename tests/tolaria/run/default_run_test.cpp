// The run of `make run` as it stands, made short (tests/short_default_run.txt): what it does, and
// that it resumes to the same bits wherever it is stopped.

#include <fstream>
#include <map>
#include <set>

#include "esper/configs/load.h"
#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;

class DefaultRun : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        whole_ = new Folder("default-whole");
        fs::create_directories(whole_->path);
        std::ofstream(whole_->path / "text.txt")
            << text_of(std::string(ESPER_SOURCE_DIR) + "/data/tinyshakespeare.txt")
                   .substr(0, 84'000);
        ASSERT_EQ(value_or_throw(start(config(), whole())->run()), RunStatus::kDone);
    }
    static void TearDownTestSuite() {
        delete whole_;
        whole_ = nullptr;
    }
    static fs::path whole() { return whole_->path / "run"; }
    static configs::EsperConfig config() {
        configs::LoadOptions options;
        options.path = std::string(ESPER_SOURCE_DIR) + "/configs/shakespeare.yaml";
        std::ifstream lines(std::string(ESPER_SOURCE_DIR) + "/tests/short_default_run.txt");
        for (std::string line; std::getline(lines, line);)
            if (!line.empty() && line[0] != '#') options.overrides.push_back(line);
        options.overrides.push_back("data.path=" + (whole_->path / "text.txt").string());
        return value_or_throw(configs::load_config(options));
    }
    /// Ends and resumes the run at each of these steps, in a new trainer each time.
    static void run_in_pieces(const fs::path& folder, const std::vector<std::int64_t>& steps) {
        auto trainer = start(config(), folder);
        for (auto step : steps) {
            trainer->stop_after(step - trainer->step());
            ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kStopped);
            trainer.reset();
            trainer = value_or_throw(Trainer::resume(config(), folder));
            EXPECT_EQ(trainer->step(), step);
        }
        ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    }

    static Folder* whole_;
};

Folder* DefaultRun::whole_ = nullptr;

TEST_F(DefaultRun, IsTheShippedOneInAllThatDecidesAboutGrowth) {
    configs::LoadOptions shipped;
    shipped.path = std::string(ESPER_SOURCE_DIR) + "/configs/shakespeare.yaml";
    const auto theirs = value_or_throw(configs::load_config(shipped));
    const auto ours = config();
    EXPECT_EQ(ours.controller.policy, configs::Policy::kPeriodic);
    EXPECT_EQ(ours.growth.isolation, configs::Isolation::kShadow);
    EXPECT_EQ(ours.growth.seeds_per_anchor, 2);
    EXPECT_EQ(ours.controller, theirs.controller);
    EXPECT_EQ(ours.growth.limits, theirs.growth.limits);
    EXPECT_EQ(ours.growth.blueprints, theirs.growth.blueprints);
    EXPECT_EQ(ours.growth.anchors, theirs.growth.anchors);
    EXPECT_EQ(ours.growth.gate.delta, theirs.growth.gate.delta);
    EXPECT_EQ(ours.growth.gate.rent, theirs.growth.gate.rent);
    EXPECT_EQ(ours.growth.gate.min_examples, theirs.growth.gate.min_examples);
}

TEST_F(DefaultRun, GerminatesKeepsAndCullsOnItsOwn) {
    const auto seeds = run_json(whole()).at("seeds");
    EXPECT_GE(seeds.at("germinated"), 2) << seeds;
    EXPECT_GE(seeds.at("fossilized"), 1) << seeds;
    EXPECT_GE(seeds.at("culled"), 1) << seeds;
    std::set<std::string> germinated;
    for (const auto& decision : events_of(whole(), "decision")) {
        if (decision.at("command") != "germinate") continue;
        germinated.insert(decision.at("seed"));
        // A GPT of two blocks with two chunks each has four slots.
        EXPECT_LT(decision.at("slot"), 4);
        EXPECT_TRUE(decision.at("evidence").contains("predicted_gain")) << decision;
        EXPECT_FALSE(decision.at("alternatives").empty()) << decision;
    }
    EXPECT_EQ(germinated.size(), seeds.at("germinated").get<std::size_t>());
    expect_replays(whole());
}

// Steps of each seed's states in the undisturbed run, and one in the middle of an epoch.
TEST_F(DefaultRun, StoppedAndResumedInEveryStateOfItsSeedsEndsWithTheSameBits) {
    std::set<std::int64_t> steps{3};
    for (const auto& decision : events_of(whole(), "decision")) {
        const auto step = decision.at("step").get<std::int64_t>();
        const auto command = decision.at("command").get<std::string>();
        if (command == "germinate" || command == "graft" || command == "stabilize" ||
            command == "fine_tune" || command == "fossilize" || command == "cull")
            steps.insert(step + 2);
    }
    ASSERT_GE(steps.size(), 5U);
    Folder pieces("default-pieces");
    run_in_pieces(pieces.path, {steps.begin(), steps.end()});
    expect_same_run(whole(), pieces.path);
}

// Looks, readouts and scales all happen between two epochs.
TEST_F(DefaultRun, StoppedInsideTheMeasuringOfABoundaryEndsWithTheSameBits) {
    std::map<std::string, int> seen;
    for (const auto* kind : {"readout", "gate", "scale"})
        seen[kind] = static_cast<int>(events_of(whole(), kind).size());
    for (const auto& [kind, count] : seen) ASSERT_GE(count, 2) << kind;
    Folder pieces("default-inside");
    auto trainer = start(config(), pieces.path);
    // The second of each kind, the first time that it happens.
    std::set<std::string> left{"readout", "gate", "scale"};
    auto status = RunStatus::kStopped;
    int stops = 0;
    while (status == RunStatus::kStopped) {
        std::map<std::string, int> now;
        auto* raw = trainer.get();
        trainer->on_event([&, raw](const nlohmann::json& event) {
            const auto kind = event.at("event").get<std::string>();
            if (!left.contains(kind) || ++now[kind] < 2) return;
            left.erase(kind);
            raw->request_stop();
        });
        status = value_or_throw(trainer->run());
        if (status != RunStatus::kStopped) break;
        ++stops;
        trainer.reset();
        trainer = value_or_throw(Trainer::resume(config(), pieces.path));
    }
    EXPECT_EQ(status, RunStatus::kDone);
    EXPECT_EQ(stops, 3);
    expect_same_run(whole(), pieces.path);
}

}  // namespace
}  // namespace esper::tolaria
