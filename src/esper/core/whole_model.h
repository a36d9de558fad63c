#pragma once

#include <string>
#include <vector>

#include "esper/program/program.h"

namespace esper::core {

/// `model`, a foreign host (foreign_host.h) as the Program of the whole model, with the seeds of
/// `host` at its own anchors of the same names: what the seeds are stays where it is written down,
/// and is run here. Errors: GraphError::kUnknownName where an anchor with seeds is missing,
/// kIllegalEdit where none can sit; those of Program::make.
Result<graph::ProgramPtr> with_seeds_of(const graph::Program& host, graph::ProgramPtr model);

/// What flows at these anchors as further outputs `anchor.<name>`. Errors: kUnknownName.
Result<graph::ProgramPtr> with_anchor_outputs(const graph::Program& model,
                                              const std::vector<std::string>& anchors);

}  // namespace esper::core
