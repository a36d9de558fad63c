// A blueprint whose seeds fail three times is not tried anywhere any more (docs/reliability.md).

#include "tolaria/resumed_runs.h"
#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;
using execution::SeedState;

configs::EsperConfig many_slots() {
    auto config = growing();
    config.run.epochs = 14;
    config.run.steps_per_epoch = 4;
    config.growth.seeds_per_anchor = 4;  // eight slots
    config.growth.blueprints = {"low_rank", "bottleneck_mlp"};
    config.growth.training = configs::Duration::epochs(1);
    return config;
}

/// The first awake seed of the blueprint fails in the next step; its slot.
std::int64_t fail_next(Trainer& trainer, const std::string& blueprint) {
    while (trainer.step() < trainer.length().total_steps) {
        run_one_step(trainer);
        for (const auto& slot : trainer.growth()->kasmina().slots()) {
            if (slot.seed.empty() || slot.blueprint != blueprint ||
                trainer.growth()->kasmina().state(slot.index) != SeedState::kTraining)
                continue;
            EXPECT_TRUE(FaultPoints::arm("seed.throw@1"));
            run_one_step(trainer);
            EXPECT_EQ(FaultPoints::fired("seed.throw"), 1U);
            FaultPoints::disarm_all();
            return slot.index;
        }
    }
    return -1;
}

TEST(BlueprintBan, ThreeFaultsOfABlueprintBanItEverywhereAndTwoDoNot) {
    Folder folder("ban");
    auto config = many_slots();
    config.growth.blueprints = {"low_rank"};
    auto trainer = start(config, folder.path);
    std::set<std::int64_t> slots;
    for (int fault = 1; fault <= 3; ++fault) {
        const auto slot = fail_next(*trainer, "low_rank");
        // The second and the third seed germinated after one and two faults.
        ASSERT_GE(slot, 0) << "no seed germinated for fault " << fault;
        EXPECT_TRUE(slots.insert(slot).second) << "the same slot was tried again";
    }
    const auto third = trainer->step();
    ASSERT_LT(third, trainer->length().total_steps / 2) << "too late to show anything";
    trainer->stop_after(1'000'000);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    ASSERT_EQ(events_of(folder.path, "fault").size(), 3U);
    for (const auto& d : decisions_of(folder.path, "germinate"))
        EXPECT_LT(d.at("step"), third) << "it was tried again: " << d;
    int free = 0;
    for (const auto& slot : trainer->growth()->kasmina().slots())
        free += trainer->growth()->kasmina().state(slot.index) == SeedState::kDormant;
    EXPECT_GE(free, 5) << "there was room for it";
}

TEST(BlueprintBan, LeavesTheOtherBlueprintsAndSurvivesAResume) {
    Folder folder("ban-other");
    auto trainer = start(many_slots(), folder.path);
    // Which of the two comes first is the tournament's choice: the one that fails is banned.
    std::map<std::string, int> faults;
    std::string banned;
    while (banned.empty() && trainer->step() < trainer->length().total_steps) {
        run_one_step(*trainer);
        const auto slot = find_in(*trainer, SeedState::kTraining);
        if (!slot) continue;
        const auto blueprint = slot->blueprint;
        EXPECT_GE(fail_next(*trainer, blueprint), 0);
        if (++faults[blueprint] == 3) banned = blueprint;
    }
    ASSERT_FALSE(banned.empty());
    const auto third = trainer->step();
    trainer.reset();
    trainer = value_or_throw(Trainer::resume(many_slots(), folder.path));
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    int others = 0;
    for (const auto& d : decisions_of(folder.path, "germinate")) {
        if (d.at("step") < third) continue;
        EXPECT_NE(d.at("blueprint"), banned) << d;
        ++others;
    }
    EXPECT_GE(others, 1) << "the other blueprint germinates on";
}

}  // namespace
}  // namespace esper::tolaria
