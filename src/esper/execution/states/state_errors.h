#pragma once

#include <cstddef>
#include <cstdint>

#include "esper/execution/states/transitions.h"

/// The state table's errors. They are built here to keep the table's hot code small.
namespace esper::execution::state_errors {

[[gnu::cold]] Error no_such_seed(std::uint32_t seed, std::uint32_t seeds);
[[gnu::cold]] Error bad_health(std::uint32_t seed, float health);
[[gnu::cold]] Error bad_alpha(std::uint32_t seed, float alpha);
[[gnu::cold]] Error no_alpha(std::uint32_t seed, SeedState state);
[[gnu::cold]] Error corrupt(std::uint32_t seed);
[[gnu::cold]] Error size_mismatch(std::size_t snapshot, std::uint32_t seeds);

}  // namespace esper::execution::state_errors
