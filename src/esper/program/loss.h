#pragma once

#include <cstdint>

#include "esper/program/program.h"

namespace esper::graph {

enum class LossKind : std::uint8_t {
    kCrossEntropy,  ///< logits [N, K], targets i64 [N]; or logits [N, T, V], targets i64 [N, T]
    kSquaredError,  ///< logits [N, 1], targets f32 [N]
};

struct LossSpec {
    double label_smoothing = 0;  ///< of cross-entropy
    /// false: output `loss`, the mean, a scalar to differentiate.
    /// true: outputs per example, f32 [N] (mean over its T tokens): `losses`, and for
    /// cross-entropy `correct`.
    bool per_example = false;
    LossKind kind = LossKind::kCrossEntropy;
    /// Per example, cross-entropy over classes: also the output `among_best`, 1 where the right
    /// class is among so many of the largest logits; 0: no such output.
    std::int64_t among_best = 0;
};

/// The Program with an additional last input `target`, and with the loss as outputs instead of
/// `logits`. Made for a run and never stored. Errors: kUnknownName without an output `logits`;
/// kMalformed for a squared error of more than one output.
Result<ProgramPtr> with_loss(const Program& program, const LossSpec& spec);

}  // namespace esper::graph
