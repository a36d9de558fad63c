#include "esper/services/records/split_stories.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace esper::records {
namespace {

Event split_at(std::int64_t step, const std::string& block) {
    return value_or_throw(Event::make("split", step, 1,
                                      {{"block", block},
                                       {"copy", block + "-2"},
                                       {"reason", "it was time"},
                                       {"evidence", nlohmann::json::object()},
                                       {"parameters", 10}}));
}

Event rollback_to(std::int64_t step, std::int64_t from) {
    return value_or_throw(Event::make("rollback", from, 1,
                                      {{"trouble", "split"},
                                       {"reason", "the loss rose"},
                                       {"evidence", nlohmann::json::object()},
                                       {"to_step", step},
                                       {"rate_factor", 1.0},
                                       {"rollbacks", 1}}));
}

TEST(SplitStories, ARollbackUndoesTheSplitsFromItsStepOn) {
    const auto stories =
        split_stories({split_at(300, "a"), split_at(500, "b"), rollback_to(500, 700),
                       split_at(900, "b"), rollback_to(800, 850)});
    ASSERT_EQ(stories.size(), 3U);
    EXPECT_EQ(in_words(stories[0]), "block a was split into two at step 300: it was time");
    EXPECT_EQ(in_words(stories[1]),
              "block b was split into two at step 500: it was time; taken back at step 700: the "
              "loss rose");
    EXPECT_EQ(stories[2].undone, 850);
    const auto kept = to_json(stories[0]);
    EXPECT_EQ(kept["copy"], "a-2");
    EXPECT_FALSE(kept.contains("undone"));
    EXPECT_EQ(to_json(stories[1])["why_undone"], "the loss rose");
}

}  // namespace
}  // namespace esper::records
