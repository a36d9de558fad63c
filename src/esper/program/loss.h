#pragma once

#include "esper/program/program.h"

namespace esper::graph {

/// Classification loss over logits [N, K] (targets i64 [N]) or [N, T, V] (targets i64 [N, T]).
struct LossSpec {
    double label_smoothing = 0;
    /// false: output `loss`, the mean, a scalar to differentiate.
    /// true: outputs `losses` and `correct`, f32 [N]: per example (mean over its T tokens).
    bool per_example = false;
};

/// The Program with an additional last input `target`, and with the loss as outputs instead of
/// `logits`. Made for a run and never stored. Error: kUnknownName without an output `logits`.
Result<ProgramPtr> with_loss(const Program& program, const LossSpec& spec);

}  // namespace esper::graph
