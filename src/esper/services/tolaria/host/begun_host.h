#pragma once

#include "esper/program/program.h"

namespace esper::tolaria {

/// The host of a run that was begun before: `begun`, the first Program of its journal, where it is
/// `host` in everything but the first values of its parameters, which have been drawn already.
/// Otherwise `host`, which is then another network than the run's.
graph::ProgramPtr as_begun(const graph::ProgramPtr& host, const graph::ProgramPtr& begun);

}  // namespace esper::tolaria
