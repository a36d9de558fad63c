#include "esper/execution/states/transitions.h"

#include <fmt/format.h>

#include <string>

namespace esper::execution {
namespace {

std::string actor_names(std::uint16_t mask) {
    std::string names;
    for (const auto& entry : contracts::enum_entries<ComponentType>()) {
        if ((mask & contracts::mover(entry.value)) == 0) continue;
        if (!names.empty()) names += " or ";
        names += entry.text;
    }
    return names;
}

}  // namespace

Status check_transition(SeedState from, SeedState to, ComponentType actor) {
    if (is_legal(from, to, actor)) return {};
    const auto from_text = contracts::to_text(from);
    const auto to_text = contracts::to_text(to);
    const bool move_exists = contracts::may_go(from, to);
    if (move_exists) {
        return fail(
            StateError::kWrongActor,
            fmt::format("{} → {} belongs to {}, not to {}", from_text, to_text,
                        actor_names(contracts::seed_movers(from, to)), contracts::to_text(actor)));
    }
    if (contracts::is_terminal(from)) {
        return fail(StateError::kTerminal,
                    fmt::format("the seed is {} for good and cannot go to {}", from_text, to_text));
    }
    return fail(StateError::kIllegalTransition,
                fmt::format("a seed in {} cannot go to {}; see contracts/seed_lifecycle.h for the "
                            "legal moves",
                            from_text, to_text));
}

}  // namespace esper::execution
