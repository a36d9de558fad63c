// What a person asks of a run while it trains is an event of it, and costs no exactness.

#include "esper/services/records/run_files.h"
#include "tolaria/resumed_runs.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;
using records::ControlAction;

/// Asks once, when the run is at its first event of a kind.
void ask_at(Trainer& trainer, const std::string& kind, ControlAction action) {
    auto asked = std::make_shared<bool>(false);
    trainer.on_event([&trainer, kind, action, asked](const nlohmann::json& event) {
        if (*asked || event.at("event") != kind) return;
        *asked = true;
        trainer.request({action, "the test"});
    });
}

TEST(Control, PausedGrowthGerminatesNothingUntilItIsResumed) {
    Folder folder("paused");
    auto trainer = start(growing(), folder.path);
    trainer->request({ControlAction::kPauseGrowth, "the test"});
    trainer->request({ControlAction::kPauseGrowth, "the test"});
    trainer->stop_after(growing().run.steps_per_epoch * 4);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kStopped);
    EXPECT_TRUE(events_of(folder.path, "decision").empty());
    EXPECT_EQ(run_json(folder.path).at("growth_paused"), true);
    EXPECT_EQ(run_json(folder.path).at("waiting_for"), "growth is paused");
    const auto asked = events_of(folder.path, "control");
    ASSERT_EQ(asked.size(), 2U);
    EXPECT_EQ(asked[0].at("outcome"), "done");
    EXPECT_EQ(asked[0].at("by"), "the test");
    EXPECT_EQ(asked[1].at("outcome"), "refused");
    trainer.reset();

    trainer = value_or_throw(Trainer::resume(growing(), folder.path));
    trainer->request({ControlAction::kResumeGrowth, "the test"});
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    EXPECT_FALSE(decisions_of(folder.path, "germinate").empty());
    EXPECT_FALSE(run_json(folder.path).contains("growth_paused"));
    expect_replays(folder.path);
}

TEST(Control, APausedRunThatIsStoppedOrGoesBackStaysPausedAndExact) {
    Folder whole("paused-whole");
    Folder pieces("paused-pieces");
    {
        auto trainer = start(growing(), whole.path);
        ask_at(*trainer, "decision", ControlAction::kPauseGrowth);
        ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    }
    const auto paused_at = events_of(whole.path, "control").at(0).at("step").get<std::int64_t>();
    const auto germinated = decisions_of(whole.path, "germinate");
    ASSERT_FALSE(germinated.empty());
    for (const auto& decision : germinated) EXPECT_LE(decision.at("step"), paused_at);
    {
        auto trainer = start(growing(), pieces.path);
        ask_at(*trainer, "decision", ControlAction::kPauseGrowth);
        trainer->stop_after(paused_at + 1);
        ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kStopped);
    }
    auto trainer = value_or_throw(Trainer::resume(growing(), pieces.path));
    EXPECT_TRUE(trainer->growth()->is_paused());
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    EXPECT_EQ(run_json(whole.path).at("program_sha256"),
              run_json(pieces.path).at("program_sha256"));
    EXPECT_EQ(run_json(whole.path).at("val_loss"), run_json(pieces.path).at("val_loss"));

    Folder back("paused-back");
    trainer = start(growing(), back.path);
    trainer->stop_after(8);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kStopped);
    trainer.reset();
    trainer = value_or_throw(Trainer::resume(growing(), back.path));
    trainer->request({ControlAction::kPauseGrowth, "the test"});
    trainer->request({ControlAction::kRollback, "the test"});
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    EXPECT_EQ(run_json(back.path).at("rollbacks"), 1);
    EXPECT_TRUE(trainer->growth()->is_paused());
}

TEST(Control, ACheckpointAndAStopAreCarriedOutAndCostNoBit) {
    Folder whole("controlled-whole");
    Folder asked("controlled-asked");
    ASSERT_EQ(value_or_throw(start(growing(), whole.path)->run()), RunStatus::kDone);
    {
        auto trainer = start(growing(), asked.path);
        trainer->on_event([&, seen = 0](const nlohmann::json& event) mutable {
            if (event.at("event") != "health" || ++seen != 5) return;
            ASSERT_TRUE(
                records::leave_request(asked.path, {ControlAction::kCheckpoint, "the page"}));
            trainer->request({ControlAction::kStop, "the terminal"});
        });
        // The inbox is looked at five times a second, which this run may be too short for.
        ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kStopped);
    }
    ASSERT_EQ(value_or_throw(value_or_throw(Trainer::resume(growing(), asked.path))->run()),
              RunStatus::kDone);
    EXPECT_EQ(run_json(whole.path).at("program_sha256"), run_json(asked.path).at("program_sha256"));
    EXPECT_EQ(run_json(whole.path).at("val_loss"), run_json(asked.path).at("val_loss"));
    const auto events = events_of(asked.path, "control");
    ASSERT_FALSE(events.empty());
    EXPECT_EQ(events[0].at("action"), "stop");
}

TEST(Control, ARunThatDoesNotGrowRefusesToPauseGrowth) {
    Folder folder("controlled-small");
    auto trainer = start(small(), folder.path);
    trainer->request({ControlAction::kPauseGrowth, "the test"});
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    EXPECT_EQ(events_of(folder.path, "control").at(0).at("reason"), "growth.enabled is false");
}

TEST(Health, SaysHowFarASeedIsBlendedIn) {
    Folder folder("alpha");
    ASSERT_EQ(value_or_throw(start(growing(), folder.path)->run()), RunStatus::kDone);
    int between = 0;
    for (const auto& event : events_of(folder.path, "health")) {
        if (event.at("state") == "DORMANT") {
            EXPECT_TRUE(event.at("alpha").is_null());
        }
        if (event.at("state") == "GRAFTING" || event.at("state") == "STABILIZATION" ||
            event.at("state") == "EVALUATING" || event.at("state") == "FINE_TUNING") {
            ASSERT_TRUE(event.at("alpha").is_number()) << event;
            EXPECT_GE(event.at("alpha"), 0);
            EXPECT_LE(event.at("alpha"), 1);
            ++between;
        }
    }
    EXPECT_GT(between, 0);
}

}  // namespace
}  // namespace esper::tolaria
