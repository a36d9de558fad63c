#pragma once

#include <string>
#include <string_view>

#include "esper/program/program.h"

namespace esper::graph {

/// `shadow.<seed>`.
std::string shadow_output(std::string_view seed);

/// Adds a shadow for every isolated seed of `program`: a second pass from the seed's anchor on,
/// with only this seed blended in at α = 1, that computes `output` as a new output `shadow.<seed>`.
/// The shadow reads the host's values and parameters detached, so its loss has gradients only for
/// this seed's parameters. The host's own pass no longer includes the seed, so its bits are those
/// without seeds. Batch norms in a shadow use the batch's statistics and change no running ones.
/// Dropout is off there, except for masks that depend only on the step, which are the host's. For
/// training mode only. Returns a Program without isolated seeds unchanged. Errors: kUnknownName (no
/// such output); kIllegalEdit if values are changed in place or random numbers drawn after the
/// anchor.
Result<ProgramPtr> with_shadows(const ProgramPtr& program, std::string_view output);

}  // namespace esper::graph
