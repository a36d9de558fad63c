#include "esper/services/nissa/run.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "esper/base/clock.h"
#include "nissa/files_of_a_run.h"

namespace esper::nissa {
namespace {

using nlohmann::json;

struct RunTest : testing::Test {
    const TemporaryFolder above;
    const std::filesystem::path folder = make_run(above / "run");
    nissa::Run run{"run", folder};
    nissa::Run::News refresh(std::int64_t later_ns = 0) {
        return run.refresh(system_clock().utc_ns() + later_ns);
    }
    json row() const { return json::parse(run.row()); }
    std::string state_with(const std::string& lock) {
        make_run(folder, "running");
        write(folder / "lock", lock);
        refresh();
        return row().at("state");
    }
    static std::string host() {
        std::array<char, 256> name{};
        ::gethostname(name.data(), name.size() - 1);
        return name.data();
    }
};

TEST_F(RunTest, TheRowHasTheFiguresOfTheRun) {
    EXPECT_TRUE(refresh().row);
    EXPECT_EQ(row().at("id"), "run");
    EXPECT_EQ(row().at("state"), "done");
    EXPECT_EQ(row().at("val_loss"), 1.5);
    EXPECT_EQ(row().at("alerts"), json::array());
    EXPECT_FALSE(refresh().any());
}

TEST_F(RunTest, ARunThatTrainsShowsItsNewestRowAndTellsEachNewOne) {
    make_run(folder, "running");
    EXPECT_TRUE(refresh().rows.empty());  // what was there before is not new
    append(folder / "metrics.csv", "3,30,1.75,1.25\n4,40,1.5,1\n");
    const auto news = refresh();
    EXPECT_EQ(news.columns, (std::vector<std::string>{"epoch", "step", "train_loss", "val_loss"}));
    ASSERT_EQ(news.rows.size(), 2u);
    EXPECT_EQ(news.rows[1], (std::vector<double>{4, 40, 1.5, 1}));
    EXPECT_TRUE(news.row);
    EXPECT_EQ(row().at("steps"), 40);
    EXPECT_EQ(row().at("val_loss"), 1);
}

TEST_F(RunTest, TheFirstRowOfARunIsNews) {
    make_run(folder, "running");
    write(folder / "metrics.csv", "");
    refresh();
    append(folder / "metrics.csv", "epoch,step,train_loss,val_loss\n1,10,2,1\n");
    EXPECT_EQ(refresh().rows.size(), 1u);
}

TEST_F(RunTest, ARunThatWentBackSaysThatRowsAreGone) {
    make_run(folder, "running");
    refresh();
    write(folder / "metrics.csv", "epoch,step,train_loss,val_loss\n1,10,2.5,2.25\n");
    const auto news = refresh();
    EXPECT_TRUE(news.again);
    EXPECT_TRUE(news.rows.empty());
}

TEST_F(RunTest, EventsAndEditsAreTold) {
    refresh();
    append(folder / "events.jsonl",
           "{\"event\":\"sample\",\"step\":21,\"epoch\":2,"
           "\"when\":\"after\",\"text\":\"x\"}\n");
    EXPECT_TRUE(refresh().growth);
    EXPECT_FALSE(refresh().growth);
    const auto events = run.events(1);
    ASSERT_TRUE(events);
    EXPECT_EQ(events->at("count"), 2);
    EXPECT_EQ(events->at("events").at(0).at("text"), "x");
}

TEST_F(RunTest, ARunWhoseProcessIsNotThereWasKilled) {
    EXPECT_EQ(state_with(std::to_string(::getpid()) + " " + host() + "\n"), "running");
    EXPECT_EQ(state_with("4194999 " + host() + "\n"), "killed");
    EXPECT_EQ(row().at("alerts").at(0).at("kind"), "killed");
    EXPECT_EQ(state_with("4194999 another.machine\n"), "running");
    EXPECT_EQ(state_with(""), "running");  // about to be written
    for (const auto* rubbish : {"x", "-1 ", "99999999999 x\n", "0 "})
        EXPECT_EQ(state_with(rubbish), "killed") << rubbish;
}

// A lock that is held for a moment would turn a trainer away that starts just then.
TEST_F(RunTest, NothingIsEverLocked) {
    const TemporaryFolder elsewhere;
    make_run(folder, "running");
    write(folder / "lock", std::to_string(::getpid()) + " " + host() + "\n");
    std::filesystem::permissions(folder / "lock", std::filesystem::perms::owner_read);
    refresh();
    EXPECT_EQ(row().at("state"), "running");
}

TEST_F(RunTest, ARunThatWritesNothingForLongIsStalled) {
    make_run(folder, "running");
    refresh(kStalledAfterNs - 60'000'000'000);
    EXPECT_EQ(row().at("state"), "running");
    refresh(kStalledAfterNs + 60'000'000'000);
    EXPECT_EQ(row().at("state"), "stalled");
    EXPECT_EQ(row().at("alerts").at(0).at("kind"), "stalled");
}

TEST_F(RunTest, ALossThatIsNoNumberAndARollbackAreAlerts) {
    make_run(folder, "running");
    append(folder / "metrics.csv", "3,30,nan,nan\n");
    refresh();
    EXPECT_EQ(row().at("alerts").at(0).at("kind"), "not finite");
    write(folder / "run.json", R"({"status":"failed","name":"a","rollbacks":2})");
    refresh();
    std::vector<std::string> kinds;
    const auto now = row();
    for (const auto& alert : now.at("alerts")) kinds.push_back(alert.at("kind"));
    EXPECT_EQ(kinds, (std::vector<std::string>{"failed", "not finite", "rollback"}));
}

TEST_F(RunTest, CurvesAreExactWhereTheyAreShort) {
    const auto curves = run.curves({.metrics = {"val_loss", "train_loss"}});
    ASSERT_TRUE(curves) << curves.error().message();
    EXPECT_EQ(json::parse(*curves), json::parse(R"({"rows":2,"exact":true,"damaged":0,"x":[10,20],
                              "curves":{"val_loss":[2.25,1.5],"train_loss":[2.5,2]}})"));
    append(folder / "metrics.csv", "3,30,1.75,1.25\n");
    EXPECT_EQ(json::parse(*run.curves({.metrics = {"val_loss"}, .x = "epoch"})).at("x"),
              (json{1, 2, 3}));
}

TEST_F(RunTest, ALongRunIsDrawnInFewPointsAndExactlyFromNear) {
    std::string lines = "step,loss\n";
    for (int i = 1; i <= 50'000; ++i) lines += std::to_string(i) + (i == 31'415 ? ",99\n" : ",1\n");
    write(folder / "metrics.csv", lines);
    const auto far = json::parse(*run.curves({.metrics = {"loss"}, .points = 500}));
    EXPECT_EQ(far.at("rows"), 50'000);
    EXPECT_EQ(far.at("exact"), false);
    EXPECT_LE(far.at("x").size(), 500u);
    const auto& high = far.at("curves").at("loss").at("high");
    EXPECT_EQ(std::count(high.begin(), high.end(), json(99)), 1);
    const auto near = json::parse(*run.curves({.metrics = {"loss"}, .from = 31'410, .to = 31'420}));
    EXPECT_EQ(near.at("exact"), true);
    EXPECT_EQ(near.at("x"), (json{31409, 31410, 31411, 31412, 31413, 31414, 31415, 31416, 31417,
                                  31418, 31419, 31420, 31421}));
    EXPECT_EQ(near.at("curves").at("loss").at(6), 99);
}

TEST_F(RunTest, WhatIsNoColumnIsABadQuery) {
    for (const CurveQuery& query : {CurveQuery{.metrics = {"nothing"}},
                                    CurveQuery{.metrics = {"val_loss"}, .x = "nothing"}}) {
        const auto curves = run.curves(query);
        ASSERT_FALSE(curves);
        EXPECT_TRUE(curves.error().is(NissaError::kBadQuery));
    }
    std::filesystem::remove(folder / "metrics.csv");
    EXPECT_EQ(json::parse(*run.curves({.metrics = {"val_loss"}})).at("rows"), 0);
}

TEST_F(RunTest, TheGrowthOfARealRunIsTold) {
    const auto real = copy_real_run(above / "real");
    nissa::Run grown("real", real);
    const auto growth = grown.growth();
    EXPECT_EQ(growth.at("problems"), json::array());
    const auto& topology = growth.at("topology");
    EXPECT_EQ(topology.at("anchors").size(), 2u);
    EXPECT_EQ(topology.at("anchors").at(0).at("name"), "blocks.0");
    const auto& edits = topology.at("edits");
    ASSERT_EQ(edits.size(), 8u);
    EXPECT_EQ(edits.at(0).at("edit"), "start");
    EXPECT_EQ(edits.at(0).at("parameters"), 8928);  // as run.json says
    EXPECT_EQ(edits.at(1).at("edit"), "germinated");
    EXPECT_EQ(edits.at(2).at("seeds").size(), 2u);
    EXPECT_EQ(edits.at(4).at("seeds"), json::array());
    EXPECT_EQ(edits.at(4).at("parameters"), 8928);
    const auto& last = edits.at(7);
    EXPECT_EQ(last.at("edit"), "blended");
    EXPECT_EQ(last.at("parameters"), 9216);  // as run.json says
    EXPECT_EQ(last.at("seeds").at(1), (json{{"seed", "s4"},
                                            {"anchor", "blocks.0"},
                                            {"blueprint", "low_rank"},
                                            {"mode", "blended"}}));
    EXPECT_EQ(growth.at("lives").size(), 4u);
    EXPECT_EQ(growth.at("lives").at(0).at("outcome"), "culled");
    EXPECT_EQ(growth.at("health").size(), 4u);
    EXPECT_GT(growth.at("health").at(0).at("step").size(), 3u);
    EXPECT_GT(grown.memory(), 0u);
    grown.forget();
    EXPECT_EQ(grown.memory(), 0u);
    EXPECT_EQ(grown.growth().at("lives").size(), 4u);
}

TEST_F(RunTest, ADamagedRunIsShownAsFarAsItGoes) {
    const auto real = copy_real_run(above / "real");
    append(real / "events.jsonl", "not json\n{\"event\":\"unknown\",\"step\":1,\"epoch\":1}\n");
    const auto journal = real / "journal.jsonl";
    std::filesystem::resize_file(journal, std::filesystem::file_size(journal) / 2);
    append(journal, "\n");
    write(real / "run.json", "{");
    nissa::Run damaged("real", real);
    damaged.refresh(system_clock().utc_ns());
    EXPECT_EQ(json::parse(damaged.row()).at("state"), "unreadable");
    EXPECT_EQ(json::parse(damaged.row()).at("alerts").at(0).at("kind"), "damaged");
    const auto growth = damaged.growth();
    EXPECT_EQ(growth.at("problems").size(), 2u);
    EXPECT_EQ(growth.at("lives").size(), 4u);
    EXPECT_EQ(growth.at("topology").at("edits"), json::array());
}

TEST_F(RunTest, WhatIsKnownOfARunStaysUntilItIsToldThatItHasGone) {
    refresh();
    const auto known = run.row();
    std::filesystem::remove_all(folder);
    EXPECT_FALSE(refresh().any());
    EXPECT_EQ(run.row(), known);
}

TEST_F(RunTest, ARunWrittenInTheFutureCanStillBeSilent) {
    make_run(folder, "running");
    for (const auto* name : {"run.json", "metrics.csv", "events.jsonl"})
        std::filesystem::last_write_time(
            folder / name, std::filesystem::file_time_type::clock::now() + std::chrono::hours(72));
    refresh();
    EXPECT_EQ(row().at("state"), "running");
    refresh(std::int64_t{700} * 1'000'000'000);
    EXPECT_EQ(row().at("state"), "stalled");
}

TEST_F(RunTest, AFileThatCannotBeReadIsAnAlert) {
    const auto unread = [&] {
        refresh();
        const auto row = this->row();
        for (const auto& alert : row.at("alerts"))
            if (alert.at("kind") == "unread") return alert.at("text").get<std::string>();
        return std::string();
    };
    EXPECT_EQ(unread(), "");
    std::filesystem::remove(folder / "metrics.csv");
    EXPECT_EQ(unread(), "");  // a run that has not come so far
    std::filesystem::create_symlink("/etc/hostname", folder / "metrics.csv");
    EXPECT_NE(unread().find("metrics.csv is a symbolic link"), std::string::npos) << unread();
    std::filesystem::remove(folder / "events.jsonl");
    ASSERT_EQ(::mkfifo((folder / "events.jsonl").c_str(), 0600), 0);
    EXPECT_NE(unread().find("events.jsonl is a pipe"), std::string::npos) << unread();
    EXPECT_NE(run.growth().at("problems").dump().find("pipe"), std::string::npos);
    std::filesystem::remove(folder / "events.jsonl");
    std::filesystem::remove(folder / "metrics.csv");
    EXPECT_EQ(unread(), "");
}

TEST_F(RunTest, LinksInARunsFolderAreNotFollowed) {
    write(above / "secret", "{\"status\":\"done\",\"name\":\"secret\"}");
    for (const auto* name : {"run.json", "config.yaml", "events.jsonl", "journal.jsonl"}) {
        std::filesystem::remove(folder / name);
        std::filesystem::create_symlink(above / "secret", folder / name);
    }
    refresh();
    const auto all = run.row() + run.detail().dump() + run.growth().dump() + run.settings().dump();
    EXPECT_EQ(all.find("\"secret\""), std::string::npos) << all;
}

TEST_F(RunTest, SettingsAreTheKeysOfTheConfiguration) {
    EXPECT_EQ(run.settings(), (json{{"run.name", "small"},
                                    {"optimization.learning_rate", "0.002"},
                                    {"optimization.betas", "[0.9, 0.95]"}}));
    write(folder / "config.yaml", "a: &x [1]\nb: *x\n");
    EXPECT_EQ(run.settings(), json::object());
}

}  // namespace
}  // namespace esper::nissa
