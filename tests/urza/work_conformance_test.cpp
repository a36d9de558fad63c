#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "esper/services/urza/library.h"
#include "urza/conformance.h"

// What every library's list of work does. Leases go by the database's clock, so times are real.

namespace esper::urza {
namespace {

using esper::testing::SmallLibrary;
using std::chrono::milliseconds;

constexpr milliseconds kLong{60'000}, kShort{150};
constexpr const char* kHere = "this machine";

NewWork job(int number) {
    return {"kernel " + std::to_string(number), kHere,
            R"({"number":)" + std::to_string(number) + "}"};
}

std::optional<Claim> claimed(SmallLibrary& library, milliseconds lease = kLong,
                             const char* worker = "w") {
    auto claim = library->work().claim(kHere, worker, lease);
    EXPECT_TRUE(claim) << claim.error().to_string();
    return claim ? *claim : std::nullopt;
}

TEST_P(LibraryConformance, TheSameOrderIsOneJob) {
    SmallLibrary library(home());
    const auto id = *library->work().order(job(1));
    EXPECT_EQ(*library->work().order(job(1)), id);
    EXPECT_EQ(id, id_of(job(1)));
    EXPECT_NE(*library->work().order(job(2)), id);
    EXPECT_EQ(library->work().work({}, "", 10)->size(), 2u);
    EXPECT_TRUE(library->work().work_of("none").error().is(UrzaError::kUnknownWork));
    EXPECT_TRUE(library->verify({})->empty());
}

TEST_P(LibraryConformance, AJobIsOneWorkersUntilItIsDone) {
    SmallLibrary library(home());
    const auto id = *library->work().order(job(1));
    EXPECT_FALSE(*library->work().claim("another kind of machine", "w", kLong));
    const auto claim = claimed(library);
    ASSERT_TRUE(claim);
    EXPECT_EQ(claim->id, id);
    EXPECT_EQ(claim->orders, job(1).orders);
    EXPECT_EQ(claim->attempts, 1);
    EXPECT_FALSE(claimed(library));
    EXPECT_EQ(library->work().work_of(id)->state, WorkState::kLeased);
    ASSERT_TRUE(library->work().extend(*claim, kLong));
    ASSERT_TRUE(library->work().finish(*claim, "a kernel"));
    EXPECT_TRUE(library->work().finish(*claim, "a kernel"));  // its answer may have been lost
    const auto other = library->work().finish(*claim, "another kernel");
    EXPECT_TRUE(other.error().is(UrzaError::kConflict)) << other.error().to_string();
    EXPECT_EQ(library->work().work_of(id)->said, "a kernel");
    EXPECT_FALSE(claimed(library));
    // Whoever orders it again misses what came of it.
    EXPECT_EQ(*library->work().order(job(1)), id);
    EXPECT_TRUE(claimed(library));
}

TEST_P(LibraryConformance, AClaimThatWasTakenOverChangesNothing) {
    SmallLibrary library(home());
    const auto id = *library->work().order(job(1));
    const auto first = claimed(library, kShort, "frozen");
    ASSERT_TRUE(first);
    std::this_thread::sleep_for(2 * kShort);
    const auto second = claimed(library, kLong, "awake");
    ASSERT_TRUE(second);
    EXPECT_GT(second->token, first->token);
    EXPECT_EQ(second->attempts, 2);
    EXPECT_TRUE(library->work().finish(*first, "late").error().is(UrzaError::kStaleLease));
    EXPECT_TRUE(library->work().extend(*first, kLong).error().is(UrzaError::kStaleLease));
    EXPECT_TRUE(library->work().attempt_failed(*first, "late").error().is(UrzaError::kStaleLease));
    EXPECT_TRUE(library->work().hand_back(*first).error().is(UrzaError::kStaleLease));
    const auto row = *library->work().work_of(id);
    EXPECT_EQ(row.worker, "awake");
    EXPECT_EQ(row.state, WorkState::kLeased);
    EXPECT_TRUE(library->work().finish(*second, "in time"));
    EXPECT_TRUE(library->work().finish(*first, "late").error().is(UrzaError::kStaleLease));
    EXPECT_EQ(library->work().work_of(id)->said, "in time");
}

TEST_P(LibraryConformance, AnAttemptThatFailedWaitsAndOneHandedBackDoesNot) {
    SmallLibrary library(home());
    const auto id = *library->work().order(job(1));
    ASSERT_TRUE(library->work().hand_back(*claimed(library)));
    const auto again = claimed(library);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->attempts, 1);
    ASSERT_TRUE(library->work().attempt_failed(*again, "no compiler"));
    EXPECT_FALSE(claimed(library));  // later
    const auto row = *library->work().work_of(id);
    EXPECT_EQ(row.state, WorkState::kWaiting);
    EXPECT_EQ(row.said, "no compiler");
    EXPECT_GT(row.not_before, 0);
}

TEST_P(LibraryConformance, AJobWhoseWorkersVanishIsDeadAndCanBeRetried) {
    SmallLibrary library(home());
    const auto id = *library->work().order(job(1));
    for (int i = 0; i < kMostAttempts; ++i) {
        ASSERT_TRUE(claimed(library, milliseconds(1)));
        std::this_thread::sleep_for(milliseconds(5));
    }
    EXPECT_FALSE(claimed(library));
    auto row = *library->work().work_of(id);
    EXPECT_EQ(row.state, WorkState::kDead);
    EXPECT_FALSE(row.said.empty());
    EXPECT_EQ(*library->work().order(job(1)), id);
    EXPECT_FALSE(claimed(library));  // ordering it anew does not wake it
    ASSERT_TRUE(library->work().retry(id, "a test"));
    EXPECT_TRUE(library->work().retry(id, "a test").error().is(UrzaError::kConflict));
    EXPECT_EQ(claimed(library)->attempts, 1);
    const auto entries = *library->ledger(0, 10);
    ASSERT_EQ(entries.size(), 1u);
    EXPECT_EQ(entries[0].action, "retry work");
    EXPECT_EQ(entries[0].actor, "a test");
}

TEST_P(LibraryConformance, ManyWorkersDoEachJobOnce) {
    SmallLibrary library(home());
    constexpr int kJobs = 60;
    constexpr std::size_t kWorkers = 6;
    for (int i = 0; i < kJobs; ++i) ASSERT_TRUE(library->work().order(job(i)));
    std::vector<std::vector<std::string>> did(kWorkers);
    std::vector<std::thread> workers;
    for (std::size_t w = 0; w < kWorkers; ++w)
        workers.emplace_back([&, w] {
            const auto own = library.another();
            for (;;) {
                const auto claim = own->work().claim(kHere, std::to_string(w), kLong);
                if (!claim || !*claim) return;
                did[w].push_back((*claim)->id);
                (void)own->work().finish(**claim, "done");
            }
        });
    for (auto& worker : workers) worker.join();
    std::multiset<std::string> all;
    for (const auto& ids : did) all.insert(ids.begin(), ids.end());
    EXPECT_EQ(all.size(), static_cast<std::size_t>(kJobs));
    EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());
    EXPECT_EQ(library->work().work(WorkState::kDone, "", 100)->size(), all.size());
    EXPECT_TRUE(library->work().work(WorkState::kWaiting, "", 100)->empty());
}

}  // namespace
}  // namespace esper::urza
