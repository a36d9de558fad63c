#include "esper/execution/transitions.h"

#include <fmt/format.h>

#include <array>

namespace esper::execution {
namespace {

constexpr std::size_t kStates = contracts::kEnumCount<SeedState>;

constexpr std::uint16_t bit(ComponentType c) {
    return static_cast<std::uint16_t>(1u << static_cast<unsigned>(c));
}

constexpr std::uint16_t actors_of(SeedState from, SeedState to) {
    using enum SeedState;
    if (!contracts::may_go(from, to)) return 0;
    if (to == kRolledBack) return bit(ComponentType::kTolaria);
    if (to == kErrorRecovery) return bit(ComponentType::kKasmina);
    const bool reported_by_kasmina =
        from == kLoading || from == kCulled || from == kCancelled || from == kErrorRecovery;
    return reported_by_kasmina ? static_cast<std::uint16_t>(bit(ComponentType::kTamiyo) |
                                                            bit(ComponentType::kKasmina))
                               : bit(ComponentType::kTamiyo);
}

using ActorTable = std::array<std::array<std::uint16_t, kStates>, kStates>;

constexpr ActorTable kActors = [] {
    ActorTable table{};
    for (std::size_t f = 0; f < kStates; ++f) {
        for (std::size_t t = 0; t < kStates; ++t) {
            table[f][t] = actors_of(static_cast<SeedState>(f), static_cast<SeedState>(t));
        }
    }
    return table;
}();

std::string actor_names(std::uint16_t mask) {
    std::string names;
    for (const auto& entry : contracts::enum_entries<ComponentType>()) {
        if ((mask & bit(entry.value)) == 0) continue;
        if (!names.empty()) names += " or ";
        names += entry.text;
    }
    return names;
}

}  // namespace

bool is_legal(SeedState from, SeedState to, ComponentType actor) {
    const auto f = static_cast<std::size_t>(from);
    const auto t = static_cast<std::size_t>(to);
    return f < kStates && t < kStates && (kActors[f][t] & bit(actor)) != 0;
}

Status check_transition(SeedState from, SeedState to, ComponentType actor) {
    if (is_legal(from, to, actor)) return {};
    const auto from_text = contracts::to_text(from);
    const auto to_text = contracts::to_text(to);
    const bool move_exists = contracts::may_go(from, to);
    if (move_exists) {
        const auto mask = kActors[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
        return fail(StateError::kWrongActor,
                    fmt::format("{} → {} belongs to {}, not to {}", from_text, to_text,
                                actor_names(mask), contracts::to_text(actor)));
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
