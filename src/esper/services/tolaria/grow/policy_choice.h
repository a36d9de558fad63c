#pragma once

#include "esper/configs/config.h"
#include "esper/program/program.h"

namespace esper::tolaria {

/// What `controller.policy: auto` stands for in a run of `host`: clock where the run has a budget
/// and the host has blocks that can be split, heuristic otherwise. Another policy is returned as it
/// is. Errors: those of graph::find_blocks.
Result<configs::Policy> choose_policy(const configs::EsperConfig& config,
                                      const graph::ProgramPtr& host);

}  // namespace esper::tolaria
