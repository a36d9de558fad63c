#include "esper/services/tamiyo/lifecycle.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "esper/base/random.h"
#include "esper/services/tamiyo/state_json.h"

namespace esper::tamiyo {
namespace {

using enum SeedState;

Decision command(AdaptationCommand what, const SlotView& slot, std::string reason) {
    return {.command = what,
            .slot = slot.index,
            .seed = slot.seed,
            .anchor = slot.anchor,
            .blueprint = slot.blueprint,
            .reason = std::move(reason),
            .evidence = {{"steps_in_state", static_cast<double>(slot.steps_in_state)}}};
}

void add_evidence(Decision& decision, const std::string& prefix, const GateResult& r) {
    const auto add = [&](const char* name, double value) {
        if (std::isfinite(value)) decision.evidence[prefix + name] = value;
    };
    if (r.t > 0) {
        add("mean", r.mean);
        add("lower", r.lower);
        add("upper", r.upper);
        add("skewness", r.skewness);
        add("needed", static_cast<double>(r.needed));
    }
    add("rent", r.rent);
    add("delta", r.delta);
    add("examples", static_cast<double>(r.t));
    if (r.not_finite > 0) add("not_finite", static_cast<double>(r.not_finite));
}

/// Steps that must pass in the state before its gate.
std::int64_t before_gate(SeedState state, const LifeSteps& steps) {
    if (state == kTraining) return steps.training;
    return state == kFineTuning ? steps.fine_tune : 0;
}

/// The command after a gate with the verdict keep.
AdaptationCommand on_keep(const SlotView& slot, const LifeSteps& steps, bool last) {
    if (slot.state == kTraining) return AdaptationCommand::kGraft;
    const bool learns_on =
        slot.state == kEvaluating && slot.has_parameters && steps.fine_tune > 0 && !last;
    return learns_on ? AdaptationCommand::kFineTune : AdaptationCommand::kFossilize;
}

}  // namespace

Lifecycle::Lifecycle(const configs::GrowthConfig& growth, const RunShape& run)
    : growth_(growth), run_(run), steps_(life_steps(growth, run)) {}

std::int64_t Lifecycle::germinated(std::uint32_t slot) {
    accounts_[slot] = {.ordinal = ++germinations_};
    return germinations_;
}

void Lifecycle::take_stock(const ControllerView& view) {
    for (const SlotView& slot : view.slots) {
        if (!contracts::is_in_flight(slot.state)) {
            accounts_.erase(slot.index);
            continue;
        }
        // A seed that this controller did not germinate also needs its share of the error.
        if (!accounts_.contains(slot.index)) germinated(slot.index);
        Account& account = accounts_[slot.index];
        if (account.began < 0 && (slot.state == kTraining || contracts::is_blended(slot.state))) {
            account.began = view.step - slot.steps_in_state;
        }
    }
}

std::vector<LookRequest> Lifecycle::looks_due(const ControllerView& view) const {
    Lifecycle now = *this;
    now.take_stock(view);
    std::vector<LookRequest> due;
    for (const SlotView& slot : view.slots) {
        if (auto request = now.look_due(view, slot)) due.push_back(*request);
    }
    return due;
}

std::optional<LookRequest> Lifecycle::look_due(const ControllerView& view,
                                               const SlotView& slot) const {
    LookRequest request{.slot = slot.index};
    switch (slot.state) {
        case kTraining:
            if (view.is_last()) return std::nullopt;
            request.stage = GateStage::kBeforeGraft;
            break;
        case kEvaluating:
            request.stage = GateStage::kAfterGraft;
            break;
        case kFineTuning:
            request.stage = GateStage::kAfterFineTune;
            break;
        default:
            return std::nullopt;
    }
    if (slot.steps_in_state < before_gate(slot.state, steps_) && !view.is_last()) {
        return std::nullopt;
    }
    const Account& account = accounts_.at(slot.index);
    if (account.looked_at == view.step) return std::nullopt;
    request.ordinal = account.ordinal;
    request.look = account.looks + 1;
    const configs::GateConfig& gate = growth_.gate;
    request.spec = {
        .n0 = gate.min_examples,
        .rent = rent_of(gate, slot.relative_flops, slot.relative_parameters),
        .delta_k = error_of_look(error_of_seed(gate.delta, request.ordinal), request.look),
        .confirmed_by = on_keep(slot, steps_, view.is_last()) == AdaptationCommand::kFossilize
                            ? kConfirmedBy
                            : 1};
    if (request.stage != GateStage::kBeforeGraft) {
        request.fork = draws_fork(slot.index, slot.sham);
    }
    return request;
}

bool Lifecycle::draws_fork(std::uint32_t slot, bool sham) const {
    const auto account = accounts_.find(slot);
    if (account == accounts_.end()) return false;
    RandomStream draw(run_.seed, "tamiyo.fork",
                      static_cast<std::uint64_t>(account->second.ordinal));
    return sham || draw.uniform() < growth_.gate.fork_share;
}

std::vector<Decision> Lifecycle::decide(const ControllerView& view) {
    take_stock(view);
    std::vector<Decision> decisions;
    for (const SlotView& slot : view.slots) {
        if (auto decision = next(view, slot)) decisions.push_back(std::move(*decision));
    }
    return decisions;
}

std::optional<Decision> Lifecycle::next(const ControllerView& view, const SlotView& slot) {
    using enum AdaptationCommand;
    const bool last = view.is_last();
    switch (slot.state) {
        case kGerminated:
            if (last) return command(kCancel, slot, "the run ends before the seed began to learn");
            if (slot.kernel_ready) return command(kPromote, slot, "its kernel is ready");
            if (slot.steps_in_state < steps_.gate_budget) return std::nullopt;
            return command(
                kCancel, slot,
                fmt::format("its kernel was not ready within {} steps", steps_.gate_budget));
        case kLoading:
            if (last) return command(kCull, slot, "the run ends before its kernel was loaded");
            return std::nullopt;
        case kTraining:
            if (last) return command(kCancel, slot, "the run ends before the seed was grafted");
            return judge(view, slot);
        case kGrafting:
            if (slot.ramp_complete) return command(kStabilize, slot, "its ramp is complete");
            if (last) return command(kCull, slot, "the run ends before its ramp was complete");
            return std::nullopt;
        case kStabilization:
            if (slot.steps_in_state < steps_.stabilization && !last) return std::nullopt;
            return command(kEvaluate, slot,
                           fmt::format("the host has settled for {} steps", slot.steps_in_state));
        case kEvaluating:
        case kFineTuning:
            return judge(view, slot);
        case kErrorRecovery:
            return command(kCull, slot, "its kernel failed at run time");
        case kCulled:
            if (slot.steps_in_state < steps_.embargo || last) return std::nullopt;
            return command(kReset, slot,
                           fmt::format("its embargo of {} steps is over", steps_.embargo));
        case kCancelled:
            if (last) return std::nullopt;
            return command(kReset, slot, "a cancelled seed leaves no embargo");
        case kDormant:
        case kFossilized:
        case kRolledBack:
            break;
    }
    return std::nullopt;
}

std::optional<Decision> Lifecycle::judge(const ControllerView& view, const SlotView& slot) {
    const auto request = look_due(view, slot);
    if (!request) return std::nullopt;
    Account& account = accounts_.at(slot.index);
    const auto& result = slot.fork_gate ? slot.fork_gate : slot.gate;
    if (result) {
        ++account.looks;
        account.looked_at = view.step;
    }
    const std::int64_t held_from = before_gate(slot.state, steps_);
    const bool budget_over =
        view.is_last() || slot.steps_in_state >= held_from + steps_.gate_budget;
    const bool may_cull = view.step - account.began >= steps_.gate_lag;
    const auto because = [&](AdaptationCommand what, std::string reason) {
        Decision d = command(what, slot, std::move(reason));
        d.evidence["ordinal"] = static_cast<double>(request->ordinal);
        d.evidence["look"] = static_cast<double>(request->look);
        if (slot.gate) add_evidence(d, "", *slot.gate);
        if (slot.fork_gate) add_evidence(d, "fork_", *slot.fork_gate);
        return d;
    };
    using enum AdaptationCommand;
    if (result && result->verdict == Verdict::kKeep) {
        return because(
            on_keep(slot, steps_, view.is_last()),
            fmt::format(
                "it saves at least {:.3g} of loss per example, more than its rent of {:.3g}",
                result->lower, result->rent));
    }
    if (result && result->not_finite > 0) {
        return because(kCull, fmt::format("with it the loss of {} probe examples is not finite",
                                          result->not_finite));
    }
    if (result && result->verdict == Verdict::kCull && (may_cull || budget_over)) {
        return because(
            kCull,
            fmt::format("it saves at most {:.3g} of loss per example, less than its rent of {:.3g}",
                        result->upper, result->rent));
    }
    if (!budget_over) return std::nullopt;
    const std::string_view when =
        view.is_last() ? "at the end of the run" : "within the gate's budget";
    if (account.looks == 0)
        return because(kCull, fmt::format("it was not measured {}{}", when,
                                          slot.look_refused ? ": what measuring may cost "
                                                              "(growth.measure_share) is spent"
                                                            : ""));
    if (result && result->needed > result->t) {
        return because(kCull,
                       fmt::format("its benefit could not be shown {}: what it changes is so "
                                   "uneven that {} examples would be needed, there are {}",
                                   when, result->needed, result->t));
    }
    return because(kCull, fmt::format("its benefit could not be shown {}", when));
}

nlohmann::json Lifecycle::save() const {
    nlohmann::json accounts = nlohmann::json::array();
    for (const auto& [slot, a] : accounts_) {
        accounts.push_back({{"slot", slot},
                            {"ordinal", a.ordinal},
                            {"looks", a.looks},
                            {"looked_at", a.looked_at},
                            {"began", a.began}});
    }
    return {{"germinations", germinations_}, {"accounts", std::move(accounts)}};
}

Status Lifecycle::restore(const nlohmann::json& state) {
    return restore_guarded("the seeds' lifecycle", [&] {
        std::map<std::uint32_t, Account> accounts;
        for (const auto& a : state.at("accounts")) {
            accounts[a.at("slot").get<std::uint32_t>()] = {
                .ordinal = a.at("ordinal").get<std::int64_t>(),
                .looks = a.at("looks").get<std::int64_t>(),
                .looked_at = a.at("looked_at").get<std::int64_t>(),
                .began = a.at("began").get<std::int64_t>()};
        }
        germinations_ = state.at("germinations").get<std::int64_t>();
        accounts_ = std::move(accounts);
    });
}

}  // namespace esper::tamiyo
