#include <algorithm>
#include <nlohmann/json.hpp>

#include "esper/base/hash.h"
#include "esper/services/tolaria/grow/growth.h"

namespace esper::tolaria {

using execution::SeedState;

namespace {

// A blueprint that failed this often is not tried anywhere any more; at the slot where it failed it
// is not tried again at all.
constexpr int kFaultsOfABlueprint = 3;

}  // namespace

bool Growth::has_seeds() const {
    const auto& slots = kasmina_->slots();
    return std::any_of(slots.begin(), slots.end(), [](const auto& s) { return !s.seed.empty(); });
}

std::vector<std::uint32_t> Growth::suspects() const {
    std::vector<std::uint32_t> awake;
    for (const auto& slot : kasmina_->slots())
        if (!slot.seed.empty()) awake.push_back(slot.index);
    const auto key = [&](std::uint32_t i) {
        const auto& slot = kasmina_->slots()[i];
        return std::pair(kasmina_->state(i) != SeedState::kFossilized, slot.entered_step);
    };
    std::stable_sort(awake.begin(), awake.end(), [&](auto a, auto b) { return key(a) > key(b); });
    return awake;
}

bool Growth::is_excluded(std::uint32_t slot, const std::string& blueprint) const {
    int faults = 0;
    for (const auto& [where, what] : evicted_) {
        if (what != blueprint) continue;
        if (where == slot) return true;
        ++faults;
    }
    return faults >= kFaultsOfABlueprint;
}

Status Growth::take_out(std::uint32_t index, const Error& error, std::int64_t step) {
    const auto slot = kasmina_->slots()[index];
    const auto epoch = static_cast<std::uint32_t>(step / context_.length.steps_per_epoch);
    const auto state = kasmina_->state(index);
    execution::Incident incident{.type = error.is(graph::GraphError::kExecution)
                                             ? execution::ErrorType::kKernelExecution
                                             : execution::classify(error),
                                 .component = "seed",
                                 .layer = slot.anchor,
                                 .kernel_id = sha256(slot.blueprint).prefix64(),
                                 .error = error,
                                 .retry = {},
                                 .fallback = {},
                                 .degrade = {}};
    incident.fallback = [&] {
        return kasmina_->fault(index,
                               static_cast<std::uint32_t>(context_.config.growth.embargo.value),
                               step, epoch, error.message());
    };
    const auto recovery = recovery_.handle(incident);
    ESPER_CHECK_STATUS(context_.folder.event(
        "fault", step, epoch,
        {{"seed", slot.seed},
         {"slot", index},
         {"anchor", slot.anchor},
         {"blueprint", slot.blueprint},
         {"state", contracts::to_text(state)},
         {"error", std::string(error.room()) + "." + std::string(error.name())},
         {"reason", error.message()},
         {"type", execution::to_text(incident.type)},
         {"strategy", execution::to_text(recovery.strategy)},
         {"recovered", recovery.recovered}}));
    if (!recovery.recovered) return fail(recovery.error.value_or(error));
    ++counts_.culled;
    evicted_.emplace_back(index, slot.blueprint);
    return {};
}

void Growth::note_active(std::int64_t step) {
    for (const auto& slot : kasmina_->slots()) {
        const auto state = kasmina_->state(slot.index);
        if (!contracts::is_blended(state) || state == SeedState::kFossilized) continue;
        auto& activity = activity_[slot.index];
        if (activity.seed != slot.seed) activity = {slot.seed, slot.blueprint, step, step};
        activity.last = step;
    }
}

std::optional<LockedSlot> Growth::at_fault(std::int64_t since) const {
    const std::pair<const std::uint32_t, Activity>* worst = nullptr;
    for (const auto& item : activity_) {
        if (item.second.last <= since) continue;
        if (worst == nullptr || std::pair(item.second.last, item.second.first) >=
                                    std::pair(worst->second.last, worst->second.first))
            worst = &item;
    }
    if (worst == nullptr) return std::nullopt;
    return LockedSlot{worst->first, worst->second.seed, worst->second.blueprint};
}

Status Growth::lock(const LockedSlot& lock, std::int64_t step) {
    const auto state = kasmina_->state(lock.slot);
    if (contracts::is_terminal(state)) return {};
    // Going back may have undone that it ever germinated; it is counted all the same.
    if (!contracts::is_in_flight(state)) ++counts_.germinated;
    ++counts_.rolled_back;
    return kasmina_->roll_back(lock.slot, step,
                               static_cast<std::uint32_t>(step / context_.length.steps_per_epoch),
                               "rolled back: seed " + lock.seed + " was at fault");
}

Growth::Carried Growth::carry() const {
    return {kasmina_->germinated(), controller_->lifecycle().germinations()};
}

Status Growth::take_over(const Carried& carried) {
    kasmina_->skip_names(carried.names);
    auto state = controller_->save();
    auto& germinations = state["lifecycle"]["germinations"];
    germinations = std::max(germinations.get<std::int64_t>(), carried.germinations);
    return controller_->restore(state);
}

nlohmann::json Growth::save_faults() const {
    nlohmann::json activity = nlohmann::json::array();
    for (const auto& [slot, a] : activity_)
        activity.push_back({slot, a.seed, a.blueprint, a.first, a.last});
    return {{"evicted", evicted_}, {"activity", activity}};
}

void Growth::restore_faults(const nlohmann::json& state) {
    evicted_ = state.at("evicted").get<decltype(evicted_)>();
    activity_.clear();
    for (const auto& a : state.at("activity"))
        activity_[a.at(0)] = {a.at(1), a.at(2), a.at(3), a.at(4)};
}

}  // namespace esper::tolaria
