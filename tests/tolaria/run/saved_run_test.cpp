// Checkpoints of every version that was ever released load, and those that lie are refused.

#include <sstream>

#include "esper/configs/load.h"
#include "esper/services/tolaria/learn/evaluation.h"
#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;
using nlohmann::json;

const fs::path kVersion1 = fs::path(ESPER_SOURCE_DIR) / "tests/fixtures/run-v1";

/// A copy of the run of version 1, whose data are found wherever the test is started.
configs::EsperConfig copy_of_version_1(const fs::path& folder) {
    fs::copy(kVersion1, folder, fs::copy_options::recursive);
    auto text = text_of(folder / "config.yaml");
    const std::string relative = "data/tinyshakespeare.txt";
    text.replace(text.find(relative), relative.size(),
                 std::string(ESPER_SOURCE_DIR) + "/" + relative);
    EXPECT_TRUE(write_file_atomic(folder / "config.yaml", text));
    configs::LoadOptions options;
    options.path = folder / "config.yaml";
    return value_or_throw(configs::load_config(options));
}

std::vector<std::string> columns_but_flops(const std::string& csv) {
    std::vector<std::string> lines;
    std::istringstream in(csv);
    for (std::string line; std::getline(in, line);)
        lines.push_back(line.substr(0, line.rfind(',')));  // flops_total is the last one
    return lines;
}

double validation_loss_of(const std::string& row) {
    std::istringstream in(row);
    std::string cell;
    for (int column = 0; column < 4; ++column) std::getline(in, cell, ',');
    return std::stod(cell);
}

// Looks have become cheaper since that version: from the first decision on that rests on another
// number of examples the run is another one. Up to there it is the same, to the bit on the kind of
// processor that the fixture was made on.
TEST(SavedRun, OfVersion1IsResumedToTheBitsOfTheUndisturbedRunUntilItsNextLook) {
    Folder folder("v1");
    const auto config = copy_of_version_1(folder.path);
    auto trainer = value_or_throw(Trainer::resume(config, folder.path));
    EXPECT_EQ(trainer->step(), 38);
    const auto was = json::parse(text_of(kVersion1 / "undisturbed.run.json"));
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    const auto now = run_json(folder.path);
    EXPECT_EQ(now.at("steps"), was.at("steps"));
    EXPECT_EQ(now.at("seeds").at("germinated"), was.at("seeds").at("germinated"));
    EXPECT_NEAR(now.at("val_loss").get<double>(), was.at("val_loss").get<double>(), 0.03);

    const auto ours = columns_but_flops(text_of(folder.path / "metrics.csv"));
    const auto theirs = columns_but_flops(text_of(kVersion1 / "undisturbed.metrics.csv"));
    ASSERT_EQ(ours.size(), theirs.size());
    ASSERT_EQ(ours.front().substr(0, 31), "epoch,step,train_loss,val_loss,");
    constexpr std::size_t kResumed = 7;  // step 42
    constexpr std::size_t kDecided = 9;
    const bool same_processor = ours[kResumed] == theirs[kResumed];
    for (std::size_t row = kResumed; row <= kDecided; ++row) {
        const double expected = validation_loss_of(theirs[row]);
        EXPECT_NEAR(validation_loss_of(ours[row]), expected, 1e-3 * expected) << ours[row];
        if (same_processor) {
            EXPECT_EQ(ours[row], theirs[row]);
        }
    }
    EXPECT_GT(now.at("flops").at("unattributed").get<double>(), 0);
    expect_replays(folder.path);
}

TEST(SavedRun, OfVersion1GivesItsNetworkToWhoeverLooks) {
    const auto checkpoint =
        value_or_throw(read_checkpoint(kVersion1 / "checkpoints" / "stopped-38.ckpt"));
    const auto found = value_or_throw(read_learner(checkpoint));
    EXPECT_EQ(found.step, 38);
    const auto state = json::parse(checkpoint.state);
    EXPECT_EQ(found.learner->program()->hash().hex(), state.at("program_sha256"));
    const auto data = value_or_throw(open_data(small()));
    const auto seen =
        value_or_throw(evaluate_part(found.learner->engine(), found.learner->program(),
                                     found.learner->store(), *data, Part::kValidation, 32));
    EXPECT_NEAR(seen.loss, state.at("validation_losses").back().get<double>(), 0.1);
}

/// Every way into a JSON value that is not inside a list of numbers.
void collect(const json& value, const json::json_pointer& at,
             std::vector<json::json_pointer>& found) {
    if (!at.empty()) found.push_back(at);
    if (value.is_object())
        for (const auto& [key, item] : value.items()) collect(item, at / key, found);
    if (value.is_array() && !value.empty() && value.front().is_object())
        collect(value.front(), at / 0, found);
}

struct Resumable {
    Folder folder{"broken"};
    configs::EsperConfig config = growing();
    Resumable() {
        config.growth.gate.fork_share = 1;
        auto trainer = start(config, folder.path);
        train_until(*trainer, execution::SeedState::kGrafting);
    }
    CheckpointRing ring() const { return {folder.path / "checkpoints", 5}; }
    /// Resumes from one checkpoint alone.
    Result<std::unique_ptr<Trainer>> resume_from(const Checkpoint& checkpoint, std::int64_t step) {
        fs::remove_all(folder.path / "checkpoints");
        EXPECT_TRUE(ring().write(step, checkpoint, CheckpointKind::kStopped));
        return Trainer::resume(config, folder.path);
    }
};

TEST(SavedRun, WithAKeyMissingOrOfAnotherTypeIsRefusedAndNothingTerminates) {
    Resumable run;
    const auto whole = value_or_throw(run.ring().newest());
    const auto state = json::parse(whole.state);
    const auto step = state.at("step").get<std::int64_t>();
    ASSERT_TRUE(state.contains("growth"));
    ASSERT_FALSE(state["growth"]["forks"].empty());
    std::vector<json::json_pointer> places;
    collect(state, json::json_pointer(), places);
    ASSERT_GT(places.size(), 60U);
    int refused = 0;
    for (const auto& place : places) {
        for (const bool gone : {true, false}) {
            auto broken = state;
            if (gone)
                broken[place.parent_pointer()].is_object()
                    ? static_cast<void>(broken[place.parent_pointer()].erase(place.back()))
                    : broken[place.parent_pointer()].erase(0);
            else
                broken[place] = broken[place].is_object() ? json("text") : json::object();
            auto checkpoint = whole;
            checkpoint.state = broken.dump();
            const auto resumed = run.resume_from(checkpoint, step);
            if (resumed) continue;  // what only a reader looks at
            ++refused;
            const auto code = resumed.error().exit_code();
            EXPECT_TRUE(code == 1 || code == 2 || code == 4)
                << place << " " << code << " " << resumed.error().to_string();
            EXPECT_GT(resumed.error().message().size(), 20U) << place;
        }
    }
    EXPECT_GT(refused, static_cast<int>(places.size()));
    ASSERT_TRUE(run.resume_from(whole, step));
}

TEST(SavedRun, OfAVersionOfTheFutureIsRefusedByItsNumber) {
    Resumable run;
    auto checkpoint = value_or_throw(run.ring().newest());
    auto state = json::parse(checkpoint.state);
    state["version"] = 99;
    checkpoint.state = state.dump();
    const auto resumed = run.resume_from(checkpoint, state.at("step"));
    ASSERT_FALSE(resumed);
    EXPECT_TRUE(resumed.error().is(TolariaError::kBadCheckpoint));
    EXPECT_NE(resumed.error().message().find("version 99"), std::string::npos);
}

TEST(SavedRun, CannotNameFilesThatAreCutBack) {
    Resumable run;
    const auto victim = run.folder.path / "victim";
    ASSERT_TRUE(write_file_atomic(victim, "0123456789"));
    auto checkpoint = value_or_throw(run.ring().newest());
    auto state = json::parse(checkpoint.state);
    state["lengths"]["victim"] = 3;
    checkpoint.state = state.dump();
    const auto resumed = run.resume_from(checkpoint, state.at("step"));
    ASSERT_FALSE(resumed);
    EXPECT_TRUE(resumed.error().is(TolariaError::kBadCheckpoint));
    EXPECT_EQ(text_of(victim), "0123456789");
}

}  // namespace
}  // namespace esper::tolaria
