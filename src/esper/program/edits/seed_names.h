#pragma once

#include <string>
#include <string_view>

namespace esper::graph {

// The names of what belongs to a seed, in a Program and in a TensorStore.

inline constexpr std::string_view kSeedScopes = "seed.";  ///< how a seed's scopes begin

std::string seed_scope(std::string_view seed);    ///< `seed.<id>`: its scope, its block of tensors
std::string seed_prefix(std::string_view seed);   ///< `seed.<id>.`: how its tensors' names begin
std::string seed_control(std::string_view seed);  ///< `alpha.<id>`

/// Whether the name is not empty and consists of letters, digits, `_`, `-` and `/`.
bool is_seed_name(std::string_view seed);

}  // namespace esper::graph
