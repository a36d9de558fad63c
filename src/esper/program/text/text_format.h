#pragma once

#include <string>
#include <string_view>

#include "esper/program/program.h"

namespace esper::graph {

/// The text form; docs/program.md has its grammar. One line per declaration or instruction:
///
///     esper-program 1 "resnet8"
///     input x: f32[?, 3, 32, 32]
///     param conv1.weight: f32[16, 3, 3, 3] normal(0.19)
///     buffer bn1.running_mean: f32[16] zeros
///     control alpha.seed0: 0
///     %0 = aten::conv2d(x, conv1.weight, none, [1, 1], [1, 1], [1, 1], 1) @ conv1
///     %1, %2 = aten::max_pool2d_with_indices(%0, [2, 2], [2, 2], [0, 0], [1, 1], false)
///     anchor layer1.0: image %5 from %3 features 16
///     output logits: %1
///
/// Named values are written as their names (in backquotes unless they are plain words), results as
/// %n in the order of their definition. The text does not depend on value numbers. It reads back as
/// a Program with the same text and the same hash.
std::string to_text(const Program& program);

/// Errors: kMalformed, kUndefinedValue and kDuplicateName with the line and column, kWrongVersion,
/// kTooLarge, and what Program::make and validate_operators report.
Result<ProgramPtr> from_text(std::string_view text);

/// The same without looking operators up, and without libtorch.
Result<ProgramPtr> parse_text(std::string_view text);

}  // namespace esper::graph
