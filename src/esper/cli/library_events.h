#pragma once

#include <cstdint>

#include "esper/services/urza/library.h"

namespace esper::cli {

/// Prints what changed after that number, one line for each event; with `follow` on and on, until a
/// signal ends the program. A library that does not answer for a while is waited for then.
Status print_events(urza::Library& library, std::uint64_t after, bool follow, bool as_json);

}  // namespace esper::cli
