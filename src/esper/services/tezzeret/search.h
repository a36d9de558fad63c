#pragma once

#include "esper/services/tezzeret/forge.h"

namespace esper::tezzeret {

/// Looks for a faster kernel than `order.best_known`: from what kFast makes, one thing after the
/// other is changed (compiler, flags, width of vectors, height of tiles, panels of products, what
/// forward saves, which values share a loop). A change stays if the median of pairs is above 1.005
/// and it passes the whole trial; until a round of all changes brings nothing, or for
/// `order.search_seconds`. What was found is then measured anew against the best known, since the
/// best of many measurements flatters itself. kNoGain unless the interval of that ratio lies above
/// 1 on every shape.
Forged search(const Order& order, const TargetIsa& isa, const std::vector<Compiler>& compilers);

}  // namespace esper::tezzeret
