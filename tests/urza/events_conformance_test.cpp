#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "esper/services/urza/events.h"
#include "urza/conformance.h"
#include "urza/field_runs.h"

// The events of every library: one for each change, in the order of the commits, without gaps.

namespace esper::urza {
namespace {

using esper::testing::SmallLibrary;
using esper::testing::submission;

std::vector<std::string> topics_after(Library& library, std::uint64_t after) {
    std::vector<std::string> topics;
    EventCursor cursor(library, after);
    for (;;) {
        const auto entries = value_or_throw(cursor.next(2));
        for (const auto& entry : entries) topics.emplace_back(topic_of(entry));
        if (entries.empty()) return topics;
    }
}

TEST_P(LibraryConformance, EachChangeIsOneEvent) {
    SmallLibrary library(home());
    EXPECT_TRUE(topics_after(*library, 0).empty());
    library.add("good");
    EXPECT_EQ(topics_after(*library, 0),
              (std::vector<std::string>{"blueprint.submitted", "kernel.ready"}));
    auto place = library->head()->number;
    const auto expect = [&](const std::vector<std::string>& topics) {
        EXPECT_EQ(topics_after(*library, place), topics);
        place = library->head()->number;
    };
    library.add("bad");
    expect({"kernel.ready"});
    library.add("bad");  // the same again is no change
    expect({});
    ASSERT_TRUE(library.validate("good"));
    ASSERT_TRUE(library.validate("bad", false));
    expect({"kernel.characterized", "kernel.characterized"});
    const auto branch = library.ask().branch;
    ASSERT_TRUE(*library->file_run(esper::testing::field_run("run-1", branch, 3, 10)));
    ASSERT_FALSE(*library->file_run(esper::testing::field_run("run-1", branch, 3, 10)));
    expect({"field_reports"});
    ASSERT_TRUE(library->deprecate("good", contracts::AccessRole::kCurator, "it drifts"));
    expect({"kernel.deprecated"});
    library.home().age_objects();
    ASSERT_EQ(library->collect({})->kernels, 2u);
    expect({"kernel.collected", "kernel.collected"});
    // A change that is refused is none.
    EXPECT_FALSE(library->deprecate("none", contracts::AccessRole::kCurator, ""));
    expect({});
}

TEST_P(LibraryConformance, WhoeverFollowsWhileOthersWriteMissesNothing) {
    SmallLibrary library(home());
    constexpr int kWriters = 3, kEach = 12;
    std::vector<std::thread> writers;
    std::atomic<int> failed = 0;
    for (int w = 0; w < kWriters; ++w)
        writers.emplace_back([&, w] {
            const auto own = library.another();
            for (int i = 0; i < kEach; ++i)
                failed += own->add_blueprint(submission(1 + w * kEach + i)) ? 0 : 1;
        });
    std::vector<LedgerEntry> seen;
    EventCursor cursor(*library, 0);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (seen.size() < kWriters * kEach && std::chrono::steady_clock::now() < end) {
        const auto entries = cursor.next(5);
        ASSERT_TRUE(entries) << entries.error().to_string();
        seen.insert(seen.end(), entries->begin(), entries->end());
    }
    for (auto& writer : writers) writer.join();
    EXPECT_EQ(failed, 0);
    ASSERT_EQ(seen.size(), static_cast<std::size_t>(kWriters * kEach));
    std::set<std::string> subjects;
    for (std::size_t i = 0; i < seen.size(); ++i) {
        EXPECT_EQ(seen[i].number, i + 1);
        subjects.insert(seen[i].subject);
    }
    EXPECT_EQ(subjects.size(), seen.size());
    EXPECT_TRUE(cursor.next(5)->empty());
    EXPECT_EQ(cursor.place(), library->head()->number);
}

TEST_P(LibraryConformance, APlaceThatWasNeverReachedIsRefused) {
    SmallLibrary library(home());
    ASSERT_TRUE(library->add_blueprint(submission(64)));
    EventCursor cursor(*library, 2);
    const auto refused = cursor.next(5);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(UrzaError::kConflict)) << refused.error().to_string();
    EXPECT_EQ(cursor.place(), 2u);
    EXPECT_TRUE(EventCursor(*library, 1).next(5)->empty());
}

TEST(Events, AnActionOfANewerVersionHasATopicToo) {
    EXPECT_EQ(topic_of({1, "", "", "paint the shed", "", "", ""}), "other");
    EXPECT_EQ(topic_of({1, "", "", "blueprint VALIDATED", "", "", ""}), "blueprint.status");
    EXPECT_EQ(topic_of({1, "", "", "retry work", "", "", ""}), "work.retried");
}

}  // namespace
}  // namespace esper::urza
