#pragma once

#include "esper/program/program.h"

namespace esper::graph {

/// A grown Program as a host in its own right: every folded seed becomes an ordinary part, its
/// names and scopes `seed.<id>…` turn into `grown.<id>…` (`grown.<id>-2…` where that is taken).
/// Computes what it computed before. Errors: kIllegalEdit when a seed is not folded yet.
Result<ProgramPtr> settle_seeds(const Program& program);

}  // namespace esper::graph
