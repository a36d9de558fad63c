#pragma once

#include "esper/configs/config.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/learn/flops.h"

namespace esper::tolaria {

/// The FLOPs that a run of `host` spends if nothing grows and it never goes back: `training`,
/// `validation` and `test` come out as run.json's `flops` does, to the last digit. What depends on
/// the run (measuring, forks, recording, …) is 0 here. Errors: those of count_cost.
Result<Flops> planned_cost(const configs::EsperConfig& config, const Dataset& data,
                           const graph::ProgramPtr& host);

}  // namespace esper::tolaria
