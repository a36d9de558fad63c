#include "esper/services/tolaria/grow/seed_lives.h"

#include <nlohmann/json.hpp>

namespace esper::tolaria {

using contracts::AdaptationCommand;

namespace {

// A blueprint that failed this often is not tried anywhere any more.
constexpr int kFaultsOfABlueprint = 3;

}  // namespace

SeedLives::SeedLives(const Context& context)
    : context_(context),
      controller_(std::make_unique<tamiyo::Controller>(
          context.config.growth, context.config.controller,
          tamiyo::RunShape{context.config.run.seed, context.length.steps_per_epoch,
                           context.length.total_steps, context.config.telemetry.health_ema})) {
    kasmina().on_move(
        [this](const execution::SeedSlot& slot, execution::SeedState from, Moment now) {
            return context_.event("transition", now,
                                  {{"slot", slot.index},
                                   {"anchor", slot.anchor},
                                   {"seed", slot.seed},
                                   {"blueprint", slot.blueprint},
                                   {"from", contracts::to_text(from)},
                                   {"to", contracts::to_text(kasmina().state(slot.index))}});
        });
}

Result<std::unique_ptr<SeedLives>> SeedLives::create(const Context& context) {
    std::unique_ptr<SeedLives> lives(new SeedLives(context));
    ESPER_TRY(const auto alone, context.measurer.cost(*context.places.program()));
    lives->host_flops_ = alone.forward_flops;
    return lives;
}

SeedCounts SeedLives::counts() const {
    return {static_cast<int>(kasmina().germinated()), ends_.fossilized, ends_.culled,
            ends_.cancelled, ends_.rolled_back};
}

bool SeedLives::is_excluded(std::uint32_t slot, const std::string& blueprint) const {
    int faults = 0;
    for (const auto& excluded : excluded_) {
        if (excluded.blueprint != blueprint) continue;
        if (excluded.slot == slot) return true;
        ++faults;
    }
    return faults >= kFaultsOfABlueprint;
}

Status SeedLives::take_looks(tamiyo::ControllerView& view, Moment now) {
    for (const auto& request : controller_->looks_due(view)) {
        ESPER_TRY(auto seen, context_.measurer.look(request, now));
        view.slots[request.slot].look_refused = !seen.gate;
        if (!seen.gate) continue;
        auto detail = tamiyo::to_json(*seen.gate);
        if (request.fork) detail["fork"] = seen.fork_detail;
        if (seen.cut_short) detail["cut_short"] = true;
        const auto& slot = kasmina().slots()[request.slot];
        detail["seed"] = slot.seed;
        detail["anchor"] = slot.anchor;
        detail["blueprint"] = slot.blueprint;
        detail["stage"] = contracts::to_text(request.stage);
        detail["look"] = request.look;
        ESPER_CHECK_STATUS(context_.event("gate", now, std::move(detail)));
        view.slots[request.slot].gate = seen.gate;
        view.slots[request.slot].fork_gate = seen.fork;
    }
    return {};
}

Status SeedLives::measure_nominees(tamiyo::ControllerView& view, Moment now) {
    std::vector<tamiyo::Candidate*> nominees;
    for (auto i : controller_->nominees(view)) nominees.push_back(&view.candidates[i]);
    return context_.measurer.measure(nominees, now);
}

Status SeedLives::at_boundary(Moment now, const LossCurve& train, const LossCurve& validation) {
    // A seed may pass several states at one boundary, and at the last one must reach its end.
    constexpr int kRounds = 8;
    for (int round = 0; round < kRounds; ++round) {
        ESPER_TRY(auto seen, view(now, train, validation));
        ESPER_CHECK_STATUS(take_looks(seen, now));
        ESPER_CHECK_STATUS(measure_nominees(seen, now));
        const auto decisions = controller_->decide(seen);
        for (const auto& decision : decisions) {
            auto detail = tamiyo::to_json(decision);
            if (decision.command == AdaptationCommand::kGerminate) {
                detail["seed"] = kasmina().next_seed();
                if (kasmina().germinated() == 0)
                    ESPER_CHECK_STATUS(context_.measurer.before_first_seed(now));
            }
            ESPER_CHECK_STATUS(context_.event("decision", now, std::move(detail)));
            ESPER_CHECK_STATUS(carry_out(decision, now));
        }
        if (decisions.empty()) break;
    }
    return {};
}

void SeedLives::take_over(std::uint32_t names, std::int64_t germinations) {
    if (names > kasmina().germinated())
        ends_.rolled_back += static_cast<int>(names - kasmina().germinated());
    kasmina().skip_names(names);
    controller_->count_germinations_from(germinations);
}

Status SeedLives::roll_back(std::uint32_t slot, Moment now, const std::string& reason) {
    const auto state = kasmina().state(slot);
    if (contracts::is_terminal(state)) return {};
    if (contracts::is_in_flight(state)) ++ends_.rolled_back;
    return kasmina().roll_back(slot, now, reason);
}

SavedLives SeedLives::save() const {
    SavedLives state;
    state.kasmina = kasmina().to_json();
    state.controller = controller_->save();
    for (const auto& [slot, a] : in_slot_)
        state.seeds.push_back({slot, a.flops, a.parameters, a.sham});
    state.ends = ends_;
    state.excluded = excluded_;
    return state;
}

Status SeedLives::restore(const SavedLives& state, graph::ProgramPtr program) {
    // Whatever is wrong inside, it is the checkpoint that is bad.
    const auto bad = [](const Error& error) {
        return fail(TolariaError::kBadCheckpoint,
                    "the checkpoint cannot be read: " + error.message());
    };
    if (auto ok = kasmina().restore(state.kasmina, std::move(program)); !ok) return bad(ok.error());
    if (auto ok = controller_->restore(state.controller); !ok) return bad(ok.error());
    in_slot_.clear();
    for (const auto& seed : state.seeds)
        in_slot_[seed.slot] = {seed.flops, seed.parameters, seed.sham};
    ends_ = state.ends;
    excluded_ = state.excluded;
    return {};
}

}  // namespace esper::tolaria
