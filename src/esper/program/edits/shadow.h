#pragma once

#include <string>
#include <string_view>

#include "esper/program/program.h"

namespace esper::graph {

/// `shadow.<seed>`.
std::string shadow_output(std::string_view seed);

/// For every isolated seed of `program`, what `output` would be if this seed alone were added in at
/// α = 1: a second pass from its anchor on, as the output `shadow.<seed>`. It reads the host's
/// values and parameters detached, so that a loss of it reaches this seed's parameters and no
/// other; and the host's own path does not pass through the seed at all any more, so that the
/// host's bits are those without seeds. Batch norms in a shadow take the batch's statistics and
/// move none; dropout is off there, but for masks that are functions of the step, which are the
/// host's. For training mode only. A Program without isolated seeds is given back unchanged.
/// Errors: kUnknownName (no such output); kIllegalEdit where a shadow cannot be apart from its
/// host: behind the anchor values are changed in place or random numbers are drawn.
Result<ProgramPtr> with_shadows(const ProgramPtr& program, std::string_view output);

}  // namespace esper::graph
