#pragma once

#include "esper/program/cost/cost.h"
#include "esper/services/tolaria/data/dataset.h"

namespace esper::tolaria {

/// `program` as it is for examples like these (graph::with_input_size).
Result<graph::ProgramPtr> program_on(const graph::ProgramPtr& program, const DatasetInfo& info);

/// What an example like these costs: a network that learns from smaller images than it is made for
/// costs less. Errors: those of count_cost().
Result<graph::Cost> cost_on(const graph::Program& program, const DatasetInfo& info);

}  // namespace esper::tolaria
