#pragma once

#include "esper/execution/states/state_table.h"

namespace esper::execution {

/// The table of a run: one row per seed, see BasicStateTable.
using StateTable = BasicStateTable<StdAtomics>;
extern template class BasicStateTable<StdAtomics>;

}  // namespace esper::execution
