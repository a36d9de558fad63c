#include "esper/services/records/event_text.h"

#include <gtest/gtest.h>

namespace esper::records {
namespace {

using nlohmann::json;

EventText told(const std::string& kind, const json& detail) {
    return describe_event(value_or_throw(Event::make(kind, 12, 2, detail)));
}

EventText decided(const std::string& command) {
    return told("decision", {{"command", command},
                             {"slot", 1},
                             {"seed", "s1"},
                             {"anchor", "h0"},
                             {"blueprint", "low_rank"},
                             {"reason", "it helps"},
                             {"evidence", json::object()},
                             {"alternatives", json::array()}});
}

TEST(EventText, ADecisionNamesTheSeedItsPlaceAndTheReason) {
    const std::pair<const char*, EventTone> commands[] = {
        {"germinate", EventTone::kNeutral}, {"graft", EventTone::kNeutral},
        {"fine_tune", EventTone::kNeutral}, {"fossilize", EventTone::kGood},
        {"cull", EventTone::kCulled},       {"cancel", EventTone::kCulled}};
    for (const auto& [command, tone] : commands) {
        const auto said = decided(command);
        EXPECT_EQ(said.tone, tone) << command;
        EXPECT_NE(said.text.find("low_rank at h0 (s1)"), std::string::npos) << said.text;
        EXPECT_TRUE(said.text.ends_with("it helps")) << said.text;
    }
    EXPECT_EQ(decided("hold").tone, EventTone::kNone);
    EXPECT_EQ(decided("hold").text, "");
}

TEST(EventText, WhatWentWrongIsSaid) {
    const auto fault = told("fault", {{"seed", "s1"}, {"anchor", "h0"}, {"reason", "it gave NaN"}});
    EXPECT_EQ(fault.tone, EventTone::kBad);
    EXPECT_EQ(fault.text, "took out the seed s1 at h0 because it gave NaN");
    const auto back = told("rollback", {{"trouble", "loss"},
                                        {"reason", "the loss is NaN"},
                                        {"evidence", json::object()},
                                        {"to_step", 8},
                                        {"rate_factor", 0.5},
                                        {"rollbacks", 1}});
    EXPECT_EQ(back.tone, EventTone::kBad);
    EXPECT_EQ(back.text, "went back to step 8: the loss is NaN");
    EXPECT_EQ(told("kernel", {{"seed", "s1"},
                              {"anchor", "mlp"},
                              {"blueprint", "low_rank"},
                              {"runs", "kernel"},
                              {"why", "2.00 times the operators' speed [1.90, 2.10]"}})
                  .text,
              "seed s1 (low_rank) runs a native kernel: 2.00 times the operators' speed [1.90, "
              "2.10]");
    EXPECT_EQ(told("kernel", {{"seed", "s1"},
                              {"anchor", "mlp"},
                              {"blueprint", "low_rank"},
                              {"runs", "operators"},
                              {"why", "there is no kernel for it"}})
                  .tone,
              EventTone::kNone);
    EXPECT_EQ(told("kernel_fault", {{"seed", "s1"},
                                    {"anchor", "mlp"},
                                    {"blueprint", "low_rank"},
                                    {"kernel", "abc"},
                                    {"reason", "it returned 1"},
                                    {"evicted", "for good"}})
                  .text,
              "seed s1 runs as operators from here on, not as kernel abc: it returned 1");
    EXPECT_EQ(told("broken_seal", {{"reason", "seed 0: overwritten"}}).tone, EventTone::kBad);
    EXPECT_EQ(told("rollback_refused", {{"reason", "no checkpoint"}}).text,
              "did not go back: no checkpoint");
}

TEST(EventText, WhatElseChangedTheRunIsSaid) {
    EXPECT_EQ(told("split", {{"block", "blocks.0"},
                             {"copy", "blocks.0-2"},
                             {"reason", "the clock"},
                             {"evidence", json::object()},
                             {"parameters", 5}})
                  .text,
              "split block blocks.0 into two: the clock");
    EXPECT_EQ(
        told("resolution", {{"from", 16}, {"to", 24}, {"share", 0.3}, {"flops_per_example", 9}})
            .text,
        "images grow from 16 to 24 pixels");
    EXPECT_EQ(told("forked", {{"checkpoint", "step 40"},
                              {"spent", 1.0},
                              {"flops_total", 2.0},
                              {"wall_seconds", 3.0},
                              {"budget", "1e8"}})
                  .text,
              "forked from the trunk's step 40 to finish at 1e8");
    EXPECT_EQ(told("resumed_with",
                   {{"keys", {{"run.epochs", {{"from", 2}, {"to", 4}}}, {"x", {{"no", 1}}}}}})
                  .text,
              "resumed with run.epochs = 4, x = ?");
}

TEST(EventText, WhatAPersonAskedForAndPastRunsAreTold) {
    EXPECT_EQ(
        told("control", {{"action", "stop"}, {"by", "ada"}, {"at", "now"}, {"outcome", "done"}})
            .text,
        "ada asked for stop: done");
    EXPECT_EQ(told("control", {{"action", "rollback"},
                               {"by", "ada"},
                               {"at", "now"},
                               {"outcome", "refused"},
                               {"reason", "there is no checkpoint"}})
                  .text,
              "ada asked for rollback: refused because there is no checkpoint");
    EXPECT_EQ(told("ended_early", {{"reason", "it learns no more"}}).text,
              "ends early: it learns no more");
    const json blueprints = {{{"blueprint", "low_rank"}, {"unlikely", true}},
                             {{"blueprint", "mlp_adapter"}, {"unlikely", false}},
                             {{"blueprint", "conv"}, {"unlikely", true}}};
    const auto past = told("past_runs", {{"blueprints", blueprints}});
    EXPECT_EQ(past.tone, EventTone::kNeutral);
    EXPECT_TRUE(past.text.ends_with("hardly ever chose it: low_rank, conv")) << past.text;
    EXPECT_EQ(told("past_runs", {{"blueprints", json::array()}}).text, "");
}

TEST(EventText, OtherEventsAndStrangersAreNotShown) {
    EXPECT_EQ(told("sample", {{"when", "at the end"}, {"text", "To be"}}).text, "");
    EXPECT_EQ(describe_event(json{{"event", "no such kind"}}).text, "");
}

}  // namespace
}  // namespace esper::records
