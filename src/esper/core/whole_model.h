#pragma once

#include <string>
#include <vector>

#include "esper/program/program.h"

namespace esper::core {

/// Adds the seeds of `host`, the Program of a foreign model (foreign_host.h), to `model`, the
/// Program of the same model with all its operators, at the anchors of the same names. `host`
/// remains the record of the seeds (edits, journal); the result is what runs. Errors:
/// GraphError::kUnknownName if `model` lacks an anchor with seeds, kIllegalEdit if an anchor cannot
/// have a seed; those of Program::make.
Result<graph::ProgramPtr> with_seeds_of(const graph::Program& host, graph::ProgramPtr model);

/// Adds the activations at these anchors as outputs `anchor.<name>`. Error: kUnknownName.
Result<graph::ProgramPtr> with_anchor_outputs(const graph::Program& model,
                                              const std::vector<std::string>& anchors);

}  // namespace esper::core
