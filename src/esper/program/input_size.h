#pragma once

#include <cstdint>
#include <span>

#include "esper/program/program.h"

namespace esper::graph {

/// The Program as it is for examples of another size: its first input is declared with `sizes` of
/// one example (of an image channels, height, width) instead of its own, nothing else differs. For
/// counting its cost, and for asking whether it takes such examples. The Program itself where the
/// sizes are its own. Errors: kUnknownName for a Program without an input.
Result<ProgramPtr> with_input_size(const Program& program, std::span<const std::int64_t> sizes);

/// Whether a Program takes examples of that size: every operator does, and the outputs have the
/// types that they have for its own. Errors: kShapeMismatch, naming the operator or the output;
/// those of infer_types().
Status check_input_size(const Program& program, std::span<const std::int64_t> sizes);

}  // namespace esper::graph
