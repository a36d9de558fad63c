#pragma once

#include "esper/program/edits/edits.h"

namespace esper::graph {

/// apply() for InsertSeed.
Result<ProgramPtr> insert_seed(const Program& program, const InsertSeed& edit);

/// True if a seed may sit at the anchor: nobody writes into its value later on, nor reads it under
/// an older name.
bool can_hold_seed(const Program& program, const Anchor& anchor);

}  // namespace esper::graph
