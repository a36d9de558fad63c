// What a run's tournament takes over from the runs that a library has seen.

#include "esper/services/tolaria/grow/past_runs.h"

#include "esper/services/urza/catalogue.h"
#include "supply/forged_library.h"
#include "tolaria/resumed_runs.h"

namespace esper::supply {
namespace {

using namespace tolaria::testing_runs;
using tolaria::PastBlueprint;
using tolaria::RunStatus;

bool is_unlikely(std::int64_t chosen, std::int64_t runs) {
    std::vector<PastBlueprint> past{{"other", "tokens", 10, 9}, {"this", "tokens", runs, chosen}};
    tolaria::mark_unlikely(past);
    EXPECT_FALSE(past.front().unlikely);
    return past.back().unlikely;
}

TEST(PastRuns, ABlueprintIsUnlikelyOnlyWhenEnoughRunsSaySo) {
    // 0.75^5 = 0.237, 0.75^6 = 0.178; one of ten: 0.244, one of eleven: 0.197.
    EXPECT_FALSE(is_unlikely(0, 0));
    EXPECT_FALSE(is_unlikely(0, 5));
    EXPECT_TRUE(is_unlikely(0, 6));
    EXPECT_FALSE(is_unlikely(1, 10));
    EXPECT_TRUE(is_unlikely(1, 11));
    EXPECT_FALSE(is_unlikely(10, 20));
}

TEST(PastRuns, TheMostChosenOfAKindOfAnchorNeverIs) {
    std::vector<PastBlueprint> past{{"a", "tokens", 40, 2},
                                    {"b", "tokens", 40, 1},
                                    {"c", "vector", 40, 0},
                                    {"d", "vector", 40, 0}};
    tolaria::mark_unlikely(past);
    EXPECT_FALSE(past[0].unlikely);
    EXPECT_TRUE(past[1].unlikely);
    EXPECT_FALSE(past[2].unlikely) << "nothing of its kind was chosen more often";
    EXPECT_FALSE(past[3].unlikely);
}

class PastOfALibrary : public testing::Test {
  protected:
    static configs::EsperConfig config() {
        auto config = growing();
        config.growth.blueprints = {"low_rank", "bottleneck_mlp"};
        config.growth.kernels = true;
        config.controller.tournament.past_runs = true;
        config.controller.tournament.random_entrants = 0;
        return config;
    }
    std::string library() const { return (folder_ / "library").string(); }
    std::shared_ptr<ports::KernelSupply> supply() const { return library_supply({library(), ""}); }

    /// So many runs of a GPT measured low_rank, which always germinated, and bottleneck_mlp, which
    /// never did.
    void file_runs(int runs) const {
        const auto opened = value_or_throw(urza::open_library(library()));
        value_or_throw(urza::add_catalogue(*opened));
        std::map<std::string, std::string> ids;
        for (const auto& b : value_or_throw(opened->blueprints({}))) ids[b.name] = b.blueprint_id;
        for (int i = 0; i < runs; ++i) {
            urza::FieldRun run{"run-" + std::to_string(i), "gpt", {}, {}};
            run.candidates.push_back(
                {.blueprint = ids.at("low_rank/tokens"), .host = "", .measured = 4, .chosen = 1});
            run.candidates.push_back(
                {.blueprint = ids.at("bottleneck_mlp/tokens"), .host = "", .measured = 4});
            EXPECT_TRUE(value_or_throw(opened->file_run(run)));
        }
    }
    static std::map<std::string, int> measured_in(const fs::path& folder) {
        std::map<std::string, int> count;
        for (const auto& event : events_of(folder, "readout"))
            ++count[event.at("blueprint").get<std::string>()];
        return count;
    }

  private:
    TemporaryFolder folder_;
};

TEST_F(PastOfALibrary, DecidesWhatIsMeasuredAndIsWrittenDown) {
    file_runs(5);
    const Folder few("few");
    ASSERT_EQ(
        value_or_throw(
            value_or_throw(Trainer::create(config(), few.path, system_clock(), supply()))->run()),
        RunStatus::kDone);
    EXPECT_GT(measured_in(few.path)["bottleneck_mlp"], 0) << "five runs say too little";
    const auto opened = value_or_throw(urza::open_library(library()));
    urza::FieldRun sixth{"run-5", "gpt", {}, {}};
    for (const auto& m : value_or_throw(opened->measured_candidates()))
        sixth.candidates.push_back(
            {.blueprint = m.blueprint, .host = "", .measured = 4, .chosen = m.chosen});
    ASSERT_TRUE(value_or_throw(opened->file_run(sixth)));
    const Folder many("many");
    ASSERT_EQ(
        value_or_throw(
            value_or_throw(Trainer::create(config(), many.path, system_clock(), supply()))->run()),
        RunStatus::kDone);
    EXPECT_EQ(measured_in(many.path)["bottleneck_mlp"], 0);
    EXPECT_GT(measured_in(many.path)["low_rank"], 0);
    const auto said = events_of(many.path, "past_runs");
    ASSERT_EQ(said.size(), 1u);
    EXPECT_EQ(said.front().at("blueprints").size(), 2u);
}

TEST_F(PastOfALibrary, AResumedRunDecidesByWhatItWasToldAtItsBeginning) {
    file_runs(6);
    const Folder whole("whole");
    const Folder pieces("pieces");
    ASSERT_EQ(
        value_or_throw(
            value_or_throw(Trainer::create(config(), whole.path, system_clock(), supply()))->run()),
        RunStatus::kDone);
    auto trainer = value_or_throw(Trainer::create(config(), pieces.path, system_clock(), supply()));
    trainer->stop_after(10);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kStopped);
    trainer.reset();
    // Meanwhile the library learns the contrary.
    const auto opened = value_or_throw(urza::open_library(library()));
    for (int i = 0; i < 40; ++i) {
        urza::FieldRun run{"later-" + std::to_string(i), "gpt", {}, {}};
        for (const auto& m : value_or_throw(opened->measured_candidates()))
            run.candidates.push_back(
                {.blueprint = m.blueprint, .host = "", .measured = 4, .chosen = 1});
        ASSERT_TRUE(value_or_throw(opened->file_run(run)));
    }
    trainer = value_or_throw(Trainer::resume(config(), pieces.path, system_clock(), supply()));
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    EXPECT_EQ(runs::text_of(whole.path / "events.jsonl"),
              runs::text_of(pieces.path / "events.jsonl"));
    EXPECT_GT(measured_in(whole.path)["low_rank"], 0);
    EXPECT_EQ(measured_in(whole.path)["bottleneck_mlp"], 0);
    for (const auto* key : {"program_sha256", "val_loss", "seeds"})
        EXPECT_EQ(run_json(whole.path).at(key), run_json(pieces.path).at(key)) << key;
}

}  // namespace
}  // namespace esper::supply
