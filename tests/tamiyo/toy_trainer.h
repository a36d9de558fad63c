#pragma once
// A trainer without a network: carries out a controller's commands as Tolaria does (the same moves
// of the same slots, the same names of seeds; tests/tolaria/grow/toy_trainer_test.cpp holds it to a
// real run), and lets a test say what is measured.

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "esper/services/tamiyo/controller.h"
#include "tamiyo/short_lives.h"

namespace esper::tamiyo {

inline GateResult verdict_of(Verdict verdict, const GateSpec& spec) {
    const double mean = verdict == Verdict::kKeep ? 0.1 : verdict == Verdict::kCull ? -0.1 : 0.0;
    return {.verdict = verdict,
            .mean = mean,
            .lower = mean - 0.05,
            .upper = mean + 0.05,
            .deviation = 1,
            .t = 1000,
            .delta = spec.delta_k,
            .rent = spec.rent};
}

struct ToyTrainer {
    ToyTrainer(const configs::GrowthConfig& growth, const configs::ControllerConfig& config,
               const RunShape& shape, std::uint32_t slots = 3)
        : growth_(growth), config_(config), run(shape), controller(growth, config, shape) {
        view.total_steps = shape.total_steps;
        for (std::uint32_t i = 0; i < slots; ++i) {
            const std::string anchor = "layer" + std::to_string(i);
            view.slots.push_back({.index = i, .anchor = anchor});
        }
    }

    /// Trains one epoch and settles its boundary.
    void epoch() {
        view.step += run.steps_per_epoch;
        ++view.epoch;
        view.validation_loss.push_back(loss(view.epoch));
        view.train_loss.push_back(loss(view.epoch));
        for (SlotView& slot : view.slots) {
            slot.steps_in_state += run.steps_per_epoch;
            slot.signals = signals(slot, view.epoch);
            slot.ramp_complete = slot.state == SeedState::kGrafting &&
                                 slot.steps_in_state >= graft_steps(growth_, run.total_steps);
        }
        for (int round = 0; round < 20; ++round) {
            if (!settle_once()) return;
        }
        ADD_FAILURE() << "the boundary never settles";
    }
    void epochs(int n) {
        for (int i = 0; i < n; ++i) epoch();
    }
    void to_the_end() {
        while (view.step < view.total_steps) epoch();
    }

    bool settle_once() {
        if (resumed_each_time) {
            const nlohmann::json saved = controller.save();
            controller = Controller(growth_, config_, run);
            const Status restored = controller.restore(nlohmann::json::parse(saved.dump()));
            EXPECT_TRUE(restored) << restored.error().message();
        }
        for (SlotView& slot : view.slots) slot.gate.reset();
        for (const LookRequest& request : controller.looks_due(view)) {
            looks.push_back(request);
            view.slots[request.slot].gate = measure(request);
        }
        view.flops_ratio = 1;
        for (const SlotView& slot : view.slots) {
            if (contracts::is_in_flight(slot.state) || slot.state == SeedState::kFossilized) {
                view.flops_ratio += slot.relative_flops;
            }
        }
        view.candidates = candidates(view);
        for (const std::size_t i : controller.nominees(view)) {
            view.candidates[i].predicted_gain = gain(view.candidates[i]);
            ++gains_measured;
        }
        const std::vector<Decision> now = controller.decide(view);
        for (const Decision& decision : now) carry_out(decision);
        return !now.empty();
    }

    void carry_out(const Decision& decision) {
        using enum AdaptationCommand;
        using enum SeedState;
        decisions.push_back(decision);
        log.push_back(to_json(decision).dump());
        EXPECT_FALSE(decision.reason.empty());
        SlotView& slot = view.slots.at(decision.slot);
        EXPECT_EQ(decision.seed, slot.seed);
        EXPECT_EQ(decision.anchor, slot.anchor);
        switch (decision.command) {
            case kGerminate:
                germinate(slot, decision);
                break;
            case kGraft:
                move(slot, kGrafting);
                break;
            case kStabilize:
                move(slot, kStabilization);
                break;
            case kEvaluate:
                move(slot, kEvaluating);
                break;
            case kFineTune:
                move(slot, kFineTuning);
                break;
            case kFossilize:
                move(slot, kFossilized);
                break;
            case kCull:
                move(slot, kCulled);
                slot.seed.clear();
                break;
            case kCancel:
                move(slot, kCancelled);
                slot.seed.clear();
                break;
            case kReset:
                move(slot, kDormant);
                slot.blueprint.clear();
                break;
            default:
                ADD_FAILURE() << "not Tamiyo's command";
        }
    }
    /// Nothing has to be compiled or fetched: the seed is loaded at once. One without parameters
    /// has nothing to learn and is blended in.
    void germinate(SlotView& slot, const Decision& decision) {
        slot.blueprint = decision.blueprint;
        slot.has_parameters = has_parameters;
        for (const Candidate& c : view.candidates) {
            if (c.slot != decision.slot || c.blueprint != decision.blueprint) continue;
            slot.sham = c.sham;
            slot.relative_flops = c.relative_flops;
        }
        move(slot, SeedState::kGerminated);
        slot.seed = "s" + std::to_string(++germinated);
        move(slot, SeedState::kLoading);
        move(slot, slot.has_parameters ? SeedState::kTraining : SeedState::kGrafting);
    }
    void move(SlotView& slot, SeedState to) {
        EXPECT_TRUE(contracts::may_go(slot.state, to))
            << contracts::to_text(slot.state) << " to " << contracts::to_text(to);
        slot.state = to;
        slot.steps_in_state = 0;
        slot.ramp_complete = false;
        path.push_back(std::string(contracts::to_text(to)) + "@" + std::to_string(view.epoch));
    }

    std::vector<Decision> of(AdaptationCommand command) const {
        std::vector<Decision> found;
        for (const Decision& d : decisions) {
            if (d.command == command) found.push_back(d);
        }
        return found;
    }

    configs::GrowthConfig growth_;
    configs::ControllerConfig config_;
    RunShape run;
    Controller controller;
    ControllerView view;
    bool has_parameters = true;
    bool resumed_each_time = false;  ///< the controller is saved and restored at each boundary
    std::function<std::optional<double>(std::int64_t)> loss = [](std::int64_t) { return 1.0; };
    std::function<std::optional<GateResult>(const LookRequest&)> measure =
        [](const LookRequest& r) { return verdict_of(Verdict::kKeep, r.spec); };
    std::function<std::vector<Candidate>(const ControllerView&)> candidates =
        [](const ControllerView& v) {
            std::vector<Candidate> list;
            for (const SlotView& slot : v.slots) {
                if (slot.state != SeedState::kDormant) continue;
                list.push_back({.slot = slot.index, .blueprint = "mlp", .relative_flops = 0.1});
            }
            return list;
        };
    std::function<std::optional<double>(const Candidate&)> gain = [](const Candidate&) {
        return 0.01;
    };
    std::function<SlotSignals(const SlotView&, std::int64_t epoch)> signals =
        [](const SlotView&, std::int64_t) { return SlotSignals{}; };
    int gains_measured = 0;
    int germinated = 0;
    std::vector<LookRequest> looks;
    std::vector<Decision> decisions;
    std::vector<std::string> log;
    std::vector<std::string> path;
};

}  // namespace esper::tamiyo
