#include "esper/execution/seed_record.h"

#include <fmt/format.h>

#include <limits>

namespace esper::execution {

Status check(const SeedRecord& row, const Transition& move) {
    if (!is_legal(row.state, move.to, move.actor)) [[unlikely]] {
        return check_transition(row.state, move.to, move.actor).map_error([&](const Error& e) {
            return e.within(fmt::format("seed {}", move.seed));
        });
    }
    if (move.to == SeedState::kGerminated && move.kernel_id == 0) {
        return fail(StateError::kMissingKernel,
                    fmt::format("seed {}: germination needs the id of a validated kernel, got 0",
                                move.seed));
    }
    if (row.state == SeedState::kCulled && move.to == SeedState::kDormant &&
        move.epoch < row.embargo_until) {
        return fail(StateError::kEmbargoed,
                    fmt::format("seed {}: the slot is embargoed until epoch {}, this is epoch {}",
                                move.seed, row.embargo_until, move.epoch));
    }
    return {};
}

void apply(SeedRecord& row, const Transition& move) {
    using enum SeedState;
    auto drop = [&row](SeedFlags flag) {
        row.flags = static_cast<std::uint8_t>(row.flags & ~static_cast<unsigned>(flag));
    };
    switch (move.to) {
        case kGerminated:
            row.kernel_id = move.kernel_id;
            row.error_count = 0;
            row.alpha = 0;
            row.health = 0;
            row.latency_us = 0;
            drop(kHasHealth);
            drop(kFallbackActive);
            break;
        case kCulled:
            row.alpha = 0;
            row.embargo_until =
                move.embargo_epochs > std::numeric_limits<std::uint32_t>::max() - move.epoch
                    ? std::numeric_limits<std::uint32_t>::max()
                    : move.epoch + move.embargo_epochs;
            break;
        case kCancelled:
        case kRolledBack:
            row.alpha = 0;
            break;
        case kDormant:
            row.alpha = 0;
            row.kernel_id = 0;
            drop(kFallbackActive);
            break;
        case kErrorRecovery:
            row.flags |= kFallbackActive;
            break;
        case kFossilized:
            row.alpha = 1;
            break;
        default:
            break;
    }
    drop(kReadyForTransition);
    row.state = move.to;
    row.last_update_epoch = move.epoch;
    ++row.transitions;
}

void count_error(SeedRecord& row, std::uint32_t epoch) {
    if (row.error_count < std::numeric_limits<std::uint16_t>::max()) ++row.error_count;
    row.last_update_epoch = epoch;
    if (row.error_count >= kErrorsUntilRecovery && can_fault(row.state)) {
        apply(row,
              {.to = SeedState::kErrorRecovery, .actor = ComponentType::kKasmina, .epoch = epoch});
    }
}

void add_health(SeedRecord& row, float health) {
    constexpr float kWeight = 0.1f;
    row.health =
        (row.flags & kHasHealth) != 0 ? (1 - kWeight) * row.health + kWeight * health : health;
    row.flags |= kHasHealth;
}

}  // namespace esper::execution
