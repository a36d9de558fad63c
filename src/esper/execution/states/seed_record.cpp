#include "esper/execution/states/seed_record.h"

#include <fmt/format.h>

#include <limits>

namespace esper::execution {

Error refusal(const SeedRecord& row, const Transition& move) {
    if (const Status status = check_transition(row.state, move.to, move.actor); !status) {
        return status.error().within(fmt::format("seed {}", move.seed));
    }
    if (move.to == SeedState::kGerminated) {
        return fail(StateError::kMissingKernel,
                    fmt::format("seed {}: germination needs the id of a validated kernel, got 0",
                                move.seed))
            .value();
    }
    return fail(StateError::kEmbargoed,
                fmt::format("seed {}: the slot is embargoed until epoch {}, this is epoch {}",
                            move.seed, row.embargo_until, move.epoch))
        .value();
}

void count_error(SeedRecord& row, std::uint32_t epoch) {
    if (row.error_count < std::numeric_limits<std::uint16_t>::max()) ++row.error_count;
    row.last_update_epoch = epoch;
    if (row.error_count >= kErrorsUntilRecovery && can_fault(row.state)) {
        apply(row,
              {.to = SeedState::kErrorRecovery, .actor = ComponentType::kKasmina, .epoch = epoch});
    }
}

}  // namespace esper::execution
