#include "esper/services/records/seed_stories.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder.h"
#include "esper/services/records/event_text.h"
#include "esper/services/records/summary.h"

namespace esper::records {
namespace {

using nlohmann::json;

Event decision(const std::string& command, const std::string& seed, std::int64_t step, int slot) {
    return value_or_throw(Event::make({{"event", "decision"},
                                       {"step", step},
                                       {"epoch", step / 10},
                                       {"command", command},
                                       {"slot", slot},
                                       {"seed", seed},
                                       {"anchor", "h" + std::to_string(slot)},
                                       {"blueprint", "mlp_adapter"},
                                       {"reason", "because of " + command},
                                       {"evidence", json::object()},
                                       {"alternatives", json::array()}}));
}

Event rollback(std::int64_t from, std::int64_t to, const std::string& blamed = "", int slot = 0) {
    json event{{"event", "rollback"}, {"step", from},       {"epoch", from / 10},
               {"trouble", "spike"},  {"reason", "a jump"}, {"evidence", json::object()},
               {"to_step", to},       {"rate_factor", 1.0}, {"rollbacks", 1}};
    if (!blamed.empty()) event["failed_seed"] = {{"seed", blamed}, {"layer_index", slot}};
    return value_or_throw(Event::make(event));
}

Event transition(const std::string& seed, const std::string& to, std::int64_t step) {
    return value_or_throw(Event::make({{"event", "transition"},
                                       {"step", step},
                                       {"epoch", 0},
                                       {"seed", seed},
                                       {"anchor", "h0"},
                                       {"from", "DORMANT"},
                                       {"to", to}}));
}

TEST(SeedStories, TellALifeFromItsDecisions) {
    const auto stories =
        seed_stories({decision("germinate", "s1", 10, 0), decision("graft", "s1", 20, 0),
                      decision("fine_tune", "s1", 30, 0), decision("fossilize", "s1", 40, 0)});
    ASSERT_EQ(stories.size(), 1U);
    EXPECT_EQ(stories[0].outcome, SeedOutcome::kKept);
    EXPECT_EQ(stories[0].ended, 40);
    EXPECT_EQ(stories[0].why_ended, "because of fossilize");
    ASSERT_EQ(stories[0].phases.size(), 3U);
    EXPECT_EQ(stories[0].phases[1].name, "blending in");
    EXPECT_EQ(stories[0].phases[1].from, 20);
}

TEST(SeedStories, ASeedThatGerminatedAfterTheCheckpointIsRolledBack) {
    const auto stories = seed_stories(
        {decision("germinate", "s1", 10, 0), decision("germinate", "s2", 30, 1), rollback(45, 20)});
    EXPECT_EQ(stories[0].outcome, SeedOutcome::kAlive);
    EXPECT_EQ(stories[1].outcome, SeedOutcome::kRolledBack);
    EXPECT_EQ(stories[1].ended, 45);
    EXPECT_EQ(stories[1].why_ended, "a jump");
}

TEST(SeedStories, WhatHappenedToASeedAfterTheCheckpointIsTakenBack) {
    const std::vector<Event> before{
        decision("germinate", "s1", 10, 0), decision("germinate", "s2", 10, 1),
        decision("graft", "s1", 30, 0), decision("fossilize", "s1", 40, 0),
        decision("cull", "s2", 20, 1)};
    auto events = before;
    events.push_back(rollback(45, 20));
    const auto stories = seed_stories(events);
    EXPECT_EQ(stories[0].outcome, SeedOutcome::kAlive);
    EXPECT_EQ(stories[0].phases.size(), 1U);
    EXPECT_EQ(stories[0].decisions.size(), 3U) << "the record keeps what was decided";
    EXPECT_EQ(stories[1].outcome, SeedOutcome::kCulled)
        << "at the checkpoint's step it is part of it";
    events.push_back(decision("cull", "s1", 30, 0));
    EXPECT_EQ(seed_stories(events)[0].outcome, SeedOutcome::kCulled);
}

TEST(SeedStories, TheSeedAtFaultIsRolledBackAndItsSlotStaysShut) {
    const std::vector<Event> events{decision("germinate", "s1", 5, 0),
                                    decision("graft", "s1", 25, 0), rollback(30, 20, "s1"),
                                    decision("germinate", "s2", 25, 1), rollback(35, 10)};
    const auto stories = seed_stories(events);
    EXPECT_EQ(stories[0].outcome, SeedOutcome::kRolledBack);
    EXPECT_EQ(stories[1].outcome, SeedOutcome::kRolledBack);
    EXPECT_EQ(count(stories, SeedOutcome::kAlive), 0);
}

TEST(SeedStories, SeedsThatWereMovedByHandAreToldFromTheirTransitions) {
    const auto stories =
        seed_stories({transition("s1", "GERMINATED", 1), transition("s1", "GRAFTING", 4),
                      transition("s1", "FOSSILIZED", 9)});
    ASSERT_EQ(stories.size(), 1U);
    EXPECT_EQ(stories[0].outcome, SeedOutcome::kKept);
    EXPECT_EQ(stories[0].phases.back().name, "blending in");
}

TEST(SeedStories, AFaultSaysWhyAlsoWhereTheTransitionCameFirst) {
    const auto fault = value_or_throw(Event::make({{"event", "fault"},
                                                   {"step", 12},
                                                   {"epoch", 1},
                                                   {"seed", "s1"},
                                                   {"anchor", "h0"},
                                                   {"reason", "it threw"}}));
    const auto stories =
        seed_stories({decision("germinate", "s1", 10, 0), transition("s1", "CULLED", 12), fault});
    EXPECT_EQ(stories[0].outcome, SeedOutcome::kCulled);
    EXPECT_EQ(stories[0].why_ended, "it threw");
}

TEST(EventText, RollbacksAreTold) {
    const auto told = describe_event(rollback(45, 20));
    EXPECT_EQ(told.tone, EventTone::kBad);
    EXPECT_EQ(told.text, "went back to step 20: a jump");
    EXPECT_EQ(describe_event(json{{"event", "no such"}}).text, "");
}

class Summary : public ::testing::Test {
  protected:
    std::string of(const json& finished, const std::vector<Event>& events) const {
        std::ofstream(folder.path() / "run.json") << finished.dump();
        std::ofstream lines(folder.path() / "events.jsonl");
        for (const auto& event : events) lines << event.content().dump() << "\n";
        lines.close();
        return value_or_throw(summary_of_run(folder.path()));
    }
    TemporaryFolder folder;
    json run{{"status", "done"},
             {"name", "a"},
             {"steps", 40},
             {"val_loss", 2.5},
             {"val_accuracy", 0.25},
             {"best_val_loss", 2.25},
             {"best_step", 20},
             {"test_loss", 2.375},
             {"test_accuracy", 0.5},
             {"test_step", 20},
             {"test_checkpoint", "best"}};
};

TEST_F(Summary, SaysWhereFlopsAndTimeWent) {
    run["flops_total"] = 1000.0;
    run["wall_seconds"] = 10.0;
    run["flops"] = {{"training", 900.0},
                    {"measuring", 19.8},
                    {"validation", 80.0},
                    {"forks", 0.0},
                    {"sampling", 0.2}};
    run["seconds"] = {{"training", 7.5}, {"measuring", 2.5}};
    const auto text = of(run, {});
    EXPECT_NE(text.find("of the FLOPs: training 90.0 %, validation 8.0 %, measuring 2.0 %\n"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("of the time: training 75.0 %, measuring 25.0 %\n"), std::string::npos)
        << text;
}

TEST_F(Summary, TellsLastAndBestAndOfWhatTheTestIs) {
    const auto text = of(run, {});
    for (const auto* words :
         {"last  loss 2.5000, accuracy 25.00 % (step 40)", "best  loss 2.2500 (step 20)",
          "test, best checkpoint (step 20)  loss 2.3750, accuracy 50.00 %"})
        EXPECT_NE(text.find(words), std::string::npos) << text;
}

TEST_F(Summary, SaysWhyNothingGrew) {
    run["waiting_for"] = "controller.policy is never";
    EXPECT_NE(of(run, {}).find("Nothing grew in this run: controller.policy is never."),
              std::string::npos);
}

TEST_F(Summary, ASampledTextCannotCutItShortOrDriveTheTerminal) {
    const auto text =
        of(run, {value_or_throw(Event::make({{"event", "sample"},
                                             {"step", 40},
                                             {"epoch", 4},
                                             {"when", "at the end"},
                                             {"text", std::string("a\0b\033[2J", 7)}}))});
    EXPECT_NE(text.find("a\\x00b\\x1b[2J"), std::string::npos) << text;
    EXPECT_EQ(text.find('\0'), std::string::npos);
    EXPECT_NE(text.find("report: "), std::string::npos);
}

TEST_F(Summary, SaysWhichKernelsRanAndWhyOthersDidNot) {
    run["kernels"] = {
        {"seeds",
         {{{"seed", "s1"}, {"gain", 1.5}},
          {{"seed", "s2"}, {"gain", 2.25}},
          {{"seed", "s3"}, {"why", "not validated: no verdict"}},
          {{"seed", "s4"}, {"why", "not validated: another shape"}},
          {{"seed", "s5"}, {"why", "there is none"}}}},
        {"use",
         {{"s1", {{"calls", 1000}, {"errors", 1}, {"guarded", 100}, {"mean_us", 1000.0}}},
          {"s2", {{"calls", 500}, {"errors", 0}, {"guarded", 0}, {"mean_us", 200.0}}}}},
        {"refused", {"kernel abc: its signature is not ours", 7}}};
    const auto text = of(run, {});
    EXPECT_NE(text.find("Kernels: 2 of 5 seeds ran a native kernel, measured at 1.50 to 2.25 times "
                        "the operators' speed; 1.50 k calls took 1.00 s, 1 failed"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("; 2 ran as operators: not validated; 1 ran as operators: there is none"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("\n  refused: kernel abc: its signature is not ours\n"), std::string::npos);
}

TEST_F(Summary, TellsOfSplitBlocksAndFiguresOfEachTask) {
    run["val_metrics"] = {{"accuracy", 0.9}, {"top5_accuracy", 0.99}, {"f1", 0.5}, {"auc", 0.75}};
    run["test_metrics"] = {{"rmse", 1.5}, {"perplexity", 4.5}, {"bits_per_byte", 2.125}};
    run["peak_resident_bytes"] = 5e8;
    run["flops_total"] = 1e9;
    const auto text = of(run, {value_or_throw(Event::make("split", 12, 1,
                                                          {{"block", "blocks.0"},
                                                           {"copy", "blocks.0-2"},
                                                           {"reason", "the clock"},
                                                           {"evidence", json::object()},
                                                           {"parameters", 10}}))});
    for (const auto* words :
         {"block blocks.0 was split into two at step 12: the clock",
          "accuracy 90.00 %, top-5 99.00 %, F1 0.5000, AUC 0.7500",
          "RMSE 1.5, perplexity 4.5, 2.1250 bits a byte", ", 500 MB of memory at most"})
        EXPECT_NE(text.find(words), std::string::npos) << words << "\n" << text;
}

TEST_F(Summary, CountsWhatARollbackTookBack) {
    const auto text = of(run, {decision("germinate", "s1", 10, 0),
                               decision("germinate", "s2", 30, 1), rollback(45, 20)});
    EXPECT_NE(text.find("2 germinated, 0 kept, 0 culled, 1 rolled back, 1 still alive"),
              std::string::npos)
        << text;
}

}  // namespace
}  // namespace esper::records
