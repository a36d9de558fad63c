#include "esper/execution/states/state_errors.h"

#include <fmt/format.h>

namespace esper::execution::state_errors {
namespace {

template <typename... Args>
Error make(StateError code, fmt::format_string<Args...> text, Args&&... args) {
    return fail(code, fmt::format(text, std::forward<Args>(args)...)).value();
}

}  // namespace

Error no_such_seed(std::uint32_t seed, std::uint32_t seeds) {
    return make(StateError::kNoSuchSeed, "no seed {}: the table has {} seeds", seed, seeds);
}

Error bad_health(std::uint32_t seed, float health) {
    return make(StateError::kBadValue, "seed {}: a health sample lies in 0 … 1, got {}", seed,
                health);
}

Error bad_alpha(std::uint32_t seed, float alpha) {
    return make(StateError::kBadValue, "seed {}: α lies in 0 … 1, got {}", seed, alpha);
}

Error no_alpha(std::uint32_t seed, SeedState state) {
    return make(StateError::kBadValue,
                "seed {} in {} has no α to set; it is blended from GRAFTING to FINE_TUNING", seed,
                contracts::to_text(state));
}

Error corrupt(std::uint32_t seed) {
    return make(StateError::kCorrupt,
                "seed {}: its row was overwritten from outside the table; roll back to the last "
                "checkpoint",
                seed);
}

Error size_mismatch(std::size_t snapshot, std::uint32_t seeds) {
    return make(StateError::kSizeMismatch,
                "a snapshot of {} seeds for a table of {}; resize the snapshot first", snapshot,
                seeds);
}

}  // namespace esper::execution::state_errors
