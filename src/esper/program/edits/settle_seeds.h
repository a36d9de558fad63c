#pragma once

#include "esper/program/program.h"

namespace esper::graph {

/// Turns a grown Program into a host: every folded seed becomes an ordinary part, and its names and
/// scopes change from `seed.<id>…` to `grown.<id>…` (or `grown.<id>-2…` if that exists). The result
/// computes the same. Error: kIllegalEdit when a seed is not folded.
Result<ProgramPtr> settle_seeds(const Program& program);

}  // namespace esper::graph
