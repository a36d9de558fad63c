#include "esper/services/nissa/audit.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "nissa/files_of_a_run.h"

namespace esper::nissa {
namespace {

std::vector<Deed> deeds(const std::filesystem::path& run, const DeedQuery& query) {
    auto found = deeds_of(run, query);
    EXPECT_TRUE(found) << found.error().message();
    return found ? *found : std::vector<Deed>{};
}

TEST(Audit, TellsWhoDidWhatAndWhy) {
    const TemporaryFolder above;
    const auto run = copy_real_run(above / "run");
    append(run / "events.jsonl",
           R"({"event":"control","step":40,"epoch":7,"action":"pause_growth","by":"the page",)"
           R"("at":"2026-11-30T02:00:00.000Z","outcome":"refused","reason":"it is paused already"})"
           "\n"
           R"({"event":"refused","step":42,"epoch":7,"what":"look","cost":3800000000,)"
           R"("balance":-2100000000,"seed":"s9"})"
           "\n");
    const auto unpaid = deeds(run, {.subject = "s9"});
    ASSERT_EQ(unpaid.size(), 1U);
    EXPECT_EQ(unpaid[0].why, "no look: it costs 3.80 G FLOPs, and measuring has 0 left");
    const auto people = deeds(run, {.who = "the page"});
    ASSERT_EQ(people.size(), 1U);
    EXPECT_EQ(people[0].what, "pause_growth");
    EXPECT_EQ(people[0].at, "2026-11-30T02:00:00.000Z");
    EXPECT_EQ(people[0].why, "refused: it is paused already");
    const auto culled = deeds(run, {.what = "cull"});
    ASSERT_EQ(culled.size(), 2U);
    EXPECT_EQ(culled[0].who, "controller");
    EXPECT_EQ(culled[0].step, 18);
    EXPECT_FALSE(culled[0].why.empty());
    for (const auto& deed : deeds(run, {.subject = "s1"}))
        EXPECT_EQ(deed.subject.substr(0, 2), "s1");
    const auto looks = deeds(run, {.who = "gate", .subject = "s1"});
    ASSERT_EQ(looks.size(), 1U);
    EXPECT_NE(looks[0].why.find("rent"), std::string::npos);
    for (const auto& deed : deeds(run, {.from = 19, .to = 30})) {
        EXPECT_GE(deed.step, 19);
        EXPECT_LE(deed.step, 30);
    }
    EXPECT_TRUE(deeds(run, {.what = "health"}).empty());
}

TEST(Audit, TellsWhen) {
    const TemporaryFolder above;
    const auto run = make_run(above / "run");
    const std::string first =
        R"({"event":"checkpoint","step":10,"epoch":1,"kind":"best","file":"a"})";
    const std::string asked =
        R"({"event":"control","step":20,"epoch":2,"action":"pause_growth","by":"the page",)"
        R"("at":"2026-11-30T02:00:00.000Z","outcome":"done"})";
    write(run / "events.jsonl", first + "\n" + asked + "\n");
    write(run / "metrics.csv", "epoch,step,seconds\n");
    EXPECT_EQ(deeds(run, {})[0].at, "");  // no epoch has ended
    write(run / "metrics.csv", "epoch,step,seconds\n1,10,2\n2,20,4\n");
    auto told = deeds(run, {});
    EXPECT_EQ(told[0].at.size(), told[1].at.size());
    EXPECT_TRUE(told[0].is_about);
    EXPECT_EQ(told[1].at, "2026-11-30T02:00:00.000Z");
    EXPECT_FALSE(told[1].is_about);
    write(run / "event_times.csv", "0,1764468000000000000\n");
    told = deeds(run, {});
    EXPECT_EQ(told[0].at, "2025-11-30T02:00:00.000Z");
    EXPECT_FALSE(told[0].is_about);
}

TEST(Audit, AFolderThatIsNoRunIsRefused) {
    const TemporaryFolder above;
    write(above / "events.jsonl", "{\"event\":\"nothing\"}\n");
    EXPECT_FALSE(deeds_of(above.path(), {}));
}

}  // namespace
}  // namespace esper::nissa
