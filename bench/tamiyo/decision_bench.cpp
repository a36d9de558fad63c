// What one boundary costs the controller: looks, nominees and commands, with 256 places for seeds
// and 12 blueprints for each. The commands are carried out on the view as a trainer would, so that
// seeds of every state stand beside each other; measurements are drawn at random.

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "bench_report.h"
#include "esper/services/tamiyo/controller.h"
#include "tamiyo/short_lives.h"

namespace {

using namespace esper::tamiyo;
using esper::contracts::AdaptationCommand;
namespace configs = esper::configs;

constexpr std::uint32_t kSlots = 256;
constexpr int kBlueprints = 12;
constexpr std::int64_t kSteps = 10;  // of an epoch
constexpr std::int64_t kEpochs = 4'000;
constexpr double kGoalUs = 250;

/// Many at a time, from the first step to the last.
configs::GrowthConfig lives() {
    auto growth = short_lives();
    growth.cooldown = configs::Duration::epochs(0);
    growth.start = 0.0;
    growth.stop = 1.0;
    growth.limits.max_in_flight = 32;
    growth.limits.max_adaptations_per_epoch = 8;
    growth.limits.max_fossilized = kSlots;
    growth.limits.max_flops_ratio = 1e9;
    return growth;
}

/// A run without a network.
class Boundary {
  public:
    explicit Boundary(configs::Policy policy)
        : growth_(lives()),
          config_([&] {
              auto config = with_policy(policy);
              config.period = configs::Duration::epochs(1);
              return config;
          }()),
          run_{.seed = 1, .steps_per_epoch = kSteps, .total_steps = kSteps * kEpochs},
          controller_(growth_, config_, run_) {
        view_.total_steps = run_.total_steps;
        for (std::uint32_t i = 0; i < kSlots; ++i)
            view_.slots.push_back({.index = i, .anchor = "model.layers." + std::to_string(i)});
    }

    /// Microseconds that the controller takes at one boundary, all its rounds together.
    double next() {
        train();
        double us = 0;
        for (int round = 0; round < 4; ++round) {
            std::vector<LookRequest> looks;
            us += timed([&] { looks = controller_.looks_due(view_); });
            for (SlotView& slot : view_.slots) slot.gate.reset();
            for (const LookRequest& look : looks) view_.slots[look.slot].gate = measured(look);
            list_candidates();
            std::vector<std::size_t> nominees;
            us += timed([&] { nominees = controller_.nominees(view_); });
            for (const std::size_t i : nominees)
                view_.candidates[i].predicted_gain = gain_(random_);
            std::vector<Decision> decisions;
            us += timed([&] { decisions = controller_.decide(view_); });
            for (const Decision& decision : decisions) carry_out(decision);
            commands_ += decisions.size();
            if (decisions.empty()) break;
        }
        return us;
    }
    std::size_t commands() const { return commands_; }

  private:
    template <typename F>
    static double timed(F f) {
        const double begin = bench::now_ns();
        f();
        return (bench::now_ns() - begin) / 1000;
    }

    void train() {
        view_.step += kSteps;
        ++view_.epoch;
        const double loss = 2.0 + 1.0 / static_cast<double>(view_.epoch);
        view_.train_loss.push_back(loss);
        view_.validation_loss.push_back(loss);
        std::uniform_real_distribution<double> signal(0.1, 1.0);
        for (SlotView& slot : view_.slots) {
            slot.steps_in_state += kSteps;
            slot.signals = {signal(random_), signal(random_) * 0.3, signal(random_)};
            slot.ramp_complete = slot.state == SeedState::kGrafting && slot.steps_in_state >= 20;
        }
    }

    GateResult measured(const LookRequest& look) {
        const double mean = gain_(random_);
        const Verdict verdict = mean > 0.005    ? Verdict::kKeep
                                : mean < -0.005 ? Verdict::kCull
                                                : Verdict::kHold;
        return {.verdict = verdict,
                .mean = mean,
                .lower = mean - 0.005,
                .upper = mean + 0.005,
                .deviation = 1,
                .t = 1000,
                .delta = look.spec.delta_k,
                .rent = look.spec.rent};
    }

    void list_candidates() {
        view_.candidates.clear();
        for (const SlotView& slot : view_.slots) {
            if (slot.state != SeedState::kDormant) continue;
            for (int b = 0; b < kBlueprints; ++b)
                view_.candidates.push_back({.slot = slot.index,
                                            .blueprint = "blueprint_" + std::to_string(b),
                                            .relative_flops = 0.001 * (b + 1),
                                            .relative_parameters = 0.001 * (b + 1)});
        }
    }

    void carry_out(const Decision& decision) {
        SlotView& slot = view_.slots[decision.slot];
        switch (decision.command) {
            case AdaptationCommand::kGerminate:
                slot.blueprint = decision.blueprint;
                slot.seed = "s" + std::to_string(++germinated_);
                move(slot, SeedState::kTraining);
                break;
            case AdaptationCommand::kGraft:
                move(slot, SeedState::kGrafting);
                break;
            case AdaptationCommand::kStabilize:
                move(slot, SeedState::kStabilization);
                break;
            case AdaptationCommand::kEvaluate:
                move(slot, SeedState::kEvaluating);
                break;
            case AdaptationCommand::kFineTune:
                move(slot, SeedState::kFineTuning);
                break;
            case AdaptationCommand::kFossilize:
                move(slot, SeedState::kFossilized);
                break;
            case AdaptationCommand::kCull:
            case AdaptationCommand::kCancel:
                move(slot, SeedState::kCulled);
                slot.seed.clear();
                break;
            default:
                move(slot, SeedState::kDormant);
                slot.blueprint.clear();
        }
    }
    static void move(SlotView& slot, SeedState to) {
        slot.state = to;
        slot.steps_in_state = 0;
        slot.ramp_complete = false;
    }

    configs::GrowthConfig growth_;
    configs::ControllerConfig config_;
    RunShape run_;
    Controller controller_;
    ControllerView view_;
    std::mt19937_64 random_{7};
    std::normal_distribution<double> gain_{0.0, 0.02};
    int germinated_ = 0;
    std::size_t commands_ = 0;
};

void boundaries(bench::Report& report, configs::Policy policy, const std::string& name) {
    constexpr int kWarm = 200, kMeasured = 2'000;
    Boundary run(policy);
    for (int i = 0; i < kWarm; ++i) run.next();
    std::vector<double> us;
    for (int i = 0; i < kMeasured; ++i) us.push_back(run.next());
    if (run.commands() == 0) throw std::runtime_error(name + ": nothing was decided");
    report.add_goal(name + ": a boundary of 256 seeds, p99", "us", us, kGoalUs, 0.99);
    report.add_goal(name + ": a boundary of 256 seeds, p50", "us", us, kGoalUs);
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("decision");
    boundaries(report, configs::Policy::kHeuristic, "heuristic");
    boundaries(report, configs::Policy::kPeriodic, "periodic");
    boundaries(report, configs::Policy::kPlateau, "plateau");
    boundaries(report, configs::Policy::kRandom, "random");
    return report.finish(argc, argv);
}
