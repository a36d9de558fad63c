#include "esper/services/tamiyo/admission.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tamiyo/toy_trainer.h"

namespace esper::tamiyo {
namespace {

struct Gatekeeper {
    configs::GrowthConfig growth = short_lives();
    ControllerView view;
    Gatekeeper() {
        view.total_steps = 600;
        view.step = 100;
        for (std::uint32_t i = 0; i < 5; ++i) view.slots.push_back({.index = i});
        growth.limits.max_in_flight = 4;
        growth.limits.max_adaptations_per_epoch = 3;
    }
    Admission::Room room() const { return Admission(growth, short_run()).room(view); }
    void refused(const std::string& because) const {
        EXPECT_EQ(room().seeds, 0);
        EXPECT_NE(room().why_none.find(because), std::string::npos) << room().why_none;
    }
};

TEST(Admission, OpensBetweenStartAndStop) {
    Gatekeeper g;
    g.growth.start = 0.2;
    g.growth.stop = 0.5;
    g.view.step = 119;
    g.refused("growth.start");
    g.view.step = 120;
    EXPECT_EQ(g.room().seeds, 3);
    g.view.step = 300;
    EXPECT_EQ(g.room().seeds, 3);
    g.view.step = 301;
    g.refused("growth.stop");
}

TEST(Admission, AWholeLifeMustStillFitIntoTheRun) {
    Gatekeeper g;
    g.growth.stop = 1;
    g.view.step = 600 - 70;  // 20 training, 20 graft, 10 stabilization, 20 fine-tuning
    EXPECT_EQ(g.room().seeds, 3);
    ++g.view.step;
    g.refused("no longer fits");
}

TEST(Admission, ClosesWithTheScheduleAndWithTheSwitch) {
    Gatekeeper g;
    g.view.growth_open = false;
    g.refused("schedule");
    g.view.growth_open = true;
    g.growth.enabled = false;
    g.refused("growth.enabled");
}

TEST(Admission, CountsWhoIsInFlightAndWhoWasKept) {
    Gatekeeper g;
    g.view.slots[0].state = SeedState::kGerminated;
    g.view.slots[1].state = SeedState::kFineTuning;
    EXPECT_EQ(g.room().seeds, 2);
    g.view.slots[2].state = SeedState::kCulled;
    EXPECT_EQ(g.room().seeds, 2) << "a culled seed is not in flight";
    g.growth.limits.max_in_flight = 2;
    g.refused("in flight");
    g.growth.limits.max_in_flight = 4;
    g.growth.limits.max_fossilized = 3;
    EXPECT_EQ(g.room().seeds, 1) << "those in flight may all be kept";
    g.view.slots[3].state = SeedState::kFossilized;
    g.refused("kept");
}

TEST(Admission, PausesAfterAGermination) {
    Gatekeeper g;
    g.growth.cooldown = configs::Duration::epochs(2);
    Admission a(g.growth, short_run());
    a.germinated(g.view);
    EXPECT_EQ(a.room(g.view).seeds, 2) << "the same boundary may have more";
    a.germinated(g.view);
    a.germinated(g.view);
    EXPECT_EQ(a.room(g.view).seeds, 0);
    g.view.step = 119;
    EXPECT_NE(a.room(g.view).why_none.find("cooldown"), std::string::npos);
    Admission restored(g.growth, short_run());
    ASSERT_TRUE(restored.restore(a.save()));
    EXPECT_EQ(restored.room(g.view).seeds, 0);
    g.view.step = 120;
    EXPECT_EQ(a.room(g.view).seeds, 3);
    EXPECT_EQ(restored.room(g.view).seeds, 3);
}

}  // namespace
}  // namespace esper::tamiyo
