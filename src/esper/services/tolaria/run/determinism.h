#pragma once

namespace esper::tolaria {

/// run.deterministic, for the whole process: from now on libtorch refuses an operator of which it
/// has only a form whose result differs from run to run (the step fails with the operator's name),
/// or no longer does.
void refuse_varying_operators(bool refuse);

}  // namespace esper::tolaria
