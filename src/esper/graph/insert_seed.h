#pragma once

#include "esper/graph/edits.h"

namespace esper::graph {

/// apply() for InsertSeed.
Result<ProgramPtr> insert_seed(const Program& program, const InsertSeed& edit);

}  // namespace esper::graph
