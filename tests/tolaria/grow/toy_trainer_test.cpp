// Tamiyo's tests stand on a trainer without a network (tests/tamiyo/toy_trainer.h). Here it is
// given the decisions of a real run, one after the other, and must have its slots in the same
// states, with the same seeds and blueprints, at every boundary.

#include "tamiyo/toy_trainer.h"

#include "tolaria/resumed_runs.h"
#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

using namespace testing_runs;
using execution::SeedState;

/// Seeds that are kept, that are culled, that have no parameters, and more than one at a time.
configs::EsperConfig eventful() {
    auto config = growing();
    config.growth.seeds_per_anchor = 2;
    config.growth.limits.max_in_flight = 3;
    config.growth.sham = true;
    config.run.epochs = 16;
    config.growth.gate.rent = 0.0001;
    return config;
}

tamiyo::Decision decision_of(const nlohmann::json& event) {
    tamiyo::Decision d;
    d.command =
        contracts::from_text<contracts::AdaptationCommand>(event.at("command").get<std::string>())
            .value();
    d.slot = event.at("slot");
    d.anchor = event.at("anchor");
    d.blueprint = event.at("blueprint");
    d.reason = event.at("reason");
    // The event of a germination names the seed that it leads to; the slot has none yet.
    if (d.command != contracts::AdaptationCommand::kGerminate) d.seed = event.at("seed");
    return d;
}

TEST(ToyTrainer, WalksTheSlotsAsARealRunDoes) {
    const auto config = eventful();
    Folder folder("toy");
    auto trainer = start(config, folder.path);
    ASSERT_EQ(value_or_throw(trainer->run()), RunStatus::kDone);
    const auto& slots = trainer->growth()->kasmina().slots();
    tamiyo::ToyTrainer toy(config.growth, config.controller, {},
                           static_cast<std::uint32_t>(slots.size()));
    for (const auto& slot : slots) toy.view.slots[slot.index].anchor = slot.anchor;

    // What a run reports of its slots at a boundary is how they were before its decisions.
    auto reports = events_of(folder.path, "health");
    auto decisions = events_of(folder.path, "decision");
    std::set<std::string> commands;
    int compared = 0;
    std::size_t next = 0;
    const auto carry_out_before = [&](std::int64_t step) {
        for (; next < decisions.size() && decisions[next].at("step") < step; ++next) {
            const auto d = decision_of(decisions[next]);
            commands.insert(decisions[next].at("command"));
            toy.has_parameters = d.blueprint != "sham";  // all others learn, sham_trained too
            toy.carry_out(d);
            if (d.command == contracts::AdaptationCommand::kGerminate) {
                EXPECT_EQ(toy.view.slots[d.slot].seed, decisions[next].at("seed"));
            }
        }
    };
    for (const auto& report : reports) {
        carry_out_before(report.at("step"));
        const auto& slot = toy.view.slots.at(report.at("slot").get<std::size_t>());
        EXPECT_EQ(report.at("state"), contracts::to_text(slot.state)) << report;
        EXPECT_EQ(report.at("seed"), slot.seed) << report;
        compared += slot.state != SeedState::kDormant;
    }
    carry_out_before(trainer->step() + 1);
    for (const auto& slot : slots) {
        const auto& ours = toy.view.slots[slot.index];
        EXPECT_EQ(ours.state, trainer->growth()->kasmina().state(slot.index)) << slot.index;
        EXPECT_EQ(ours.seed, slot.seed) << slot.index;
        EXPECT_EQ(ours.blueprint, slot.blueprint) << slot.index;
    }
    EXPECT_EQ(static_cast<std::uint32_t>(toy.germinated),
              trainer->growth()->kasmina().germinated());
    EXPECT_GE(compared, 10);
    for (const auto* command :
         {"germinate", "graft", "stabilize", "evaluate", "fossilize", "cull", "reset"})
        EXPECT_TRUE(commands.contains(command)) << "the run had no " << command;
}

}  // namespace
}  // namespace esper::tolaria
