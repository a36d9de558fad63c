#pragma once

#include <cstdint>

#include "esper/program/program.h"

namespace esper::graph {

enum class LossKind : std::uint8_t {
    kCrossEntropy,  ///< logits [N, K], targets i64 [N]; or logits [N, T, V], targets i64 [N, T]
    kSquaredError,  ///< logits [N, 1], targets f32 [N]
    kSoftClasses,   ///< logits [N, K], targets f32 [N, K]: the mean over N of -Σ t·log softmax
    kLabels,  ///< logits [N, K], targets bool [N, K]: binary cross-entropy, the mean over both
    /// Logits x [N, K], targets f32 [N, 2, K]: the mean over N and K of target[:, 0]·softplus(x) -
    /// target[:, 1]·x. With 1 + (p - 1)·t and p·t in them it is the binary cross-entropy of labels
    /// that hold by a share t, and whose positives count p times (torch's pos_weight).
    kSoftLabels,
};

struct LossSpec {
    double label_smoothing = 0;  ///< of cross-entropy
    /// false: output `loss`, the mean, a scalar to differentiate.
    /// true: outputs per example, f32 [N] (mean over its T tokens or K labels): `losses`, and for
    /// cross-entropy and labels `correct`. Not of soft classes and soft labels.
    bool per_example = false;
    LossKind kind = LossKind::kCrossEntropy;
    /// Per example, cross-entropy over classes: also the output `among_best`, 1 where the right
    /// class is among so many of the largest logits; 0: no such output.
    std::int64_t among_best = 0;
    /// Per example: also the output `scores`, the logits as f32 [N, K], last of all.
    bool scores = false;
};

/// The Program with an additional last input `target`, and with the loss as outputs instead of
/// `logits`. Made for a run and never stored. Errors: kUnknownName without an output `logits`;
/// kMalformed for a squared error of more than one output, for soft classes or labels where the
/// logits are not f32[N, K], and for the loss of one example where there is none.
Result<ProgramPtr> with_loss(const Program& program, const LossSpec& spec);

}  // namespace esper::graph
