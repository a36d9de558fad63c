#include <algorithm>
#include <nlohmann/json.hpp>

#include "esper/execution/kernels/kernel_error.h"
#include "esper/services/tolaria/grow/growth.h"

namespace esper::tolaria {

using execution::SeedState;

namespace {

/// The kind of error of a seed's pass, in the words of the event.
std::string kind_of(const Error& error) {
    if (error.is(graph::GraphError::kExecution)) return "kernel_execution";
    return error.is(execution::KernelError::kNotFinite) ? "kernel_validation" : "unknown";
}

}  // namespace

bool Growth::has_seeds() const {
    const auto& slots = places_->slots();
    return std::any_of(slots.begin(), slots.end(), [](const auto& s) { return !s.seed.empty(); });
}

std::vector<std::uint32_t> Growth::suspects() const {
    std::vector<std::uint32_t> awake;
    for (const auto& slot : places_->slots())
        if (!slot.seed.empty()) awake.push_back(slot.index);
    const auto key = [&](std::uint32_t i) {
        const auto& slot = places_->slots()[i];
        return std::pair(places_->state(i) != SeedState::kFossilized, slot.entered_step);
    };
    std::stable_sort(awake.begin(), awake.end(), [&](auto a, auto b) { return key(a) > key(b); });
    return awake;
}

Status Growth::take_out(std::uint32_t index, const Error& error, Moment now) {
    const auto slot = places_->slots()[index];
    const auto state = places_->state(index);
    const auto fallen_back = kasmina().fault(
        index, static_cast<std::uint32_t>(run_.config.growth.embargo.value), now, error.message());
    ESPER_CHECK_STATUS(
        run_.event("fault", now,
                   {{"seed", slot.seed},
                    {"slot", index},
                    {"anchor", slot.anchor},
                    {"blueprint", slot.blueprint},
                    {"state", contracts::to_text(state)},
                    {"error", std::string(error.room()) + "." + std::string(error.name())},
                    {"reason", error.message()},
                    {"type", kind_of(error)},
                    {"strategy", "fallback"},
                    {"recovered", fallen_back.has_value()}}));
    ESPER_CHECK_STATUS(fallen_back);
    lives_->count_culled();
    lives_->exclude(index, slot.blueprint);
    return {};
}

void Growth::note_active(std::int64_t step) {
    for (const auto& slot : places_->slots()) {
        const auto state = places_->state(slot.index);
        if (!contracts::is_blended(state) || state == SeedState::kFossilized) continue;
        auto& activity = activity_[slot.index];
        if (activity.seed != slot.seed)
            activity = {slot.index, slot.seed, slot.blueprint, step, step};
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

Status Growth::lock(const LockedSlot& lock, Moment now) {
    // The slot of a copy, before the block was split.
    if (lock.slot >= places_->slots().size()) return {};
    return lives_->roll_back(lock.slot, now, "rolled back: seed " + lock.seed + " was at fault");
}

Growth::Carried Growth::carry() const {
    return {places_->kasmina().germinated(), lives_->germinations(), is_paused()};
}

void Growth::take_over(const Carried& carried) {
    lives_->take_over(carried.names, carried.germinations);
    pause(carried.paused);
}

}  // namespace esper::tolaria
