#pragma once

#include "esper/blueprints/branch.h"

namespace esper::blueprints {

/// `size` features without information about the input: sin(P·x̂ + φ), where x̂ is the normalised
/// input without gradient and P is random and fixed, scaled so that the argument has a standard
/// deviation of about 100 radians. Inputs that differ in any number have unrelated phases, so the
/// features act as a fixed hash of the example: mean 0, variance ½, uncorrelated with every smooth
/// function of x (for a normal argument the correlation falls as exp(−100²/2)). Images have one
/// feature vector per picture, [N, size, 1, 1], because pixels of a flat background would repeat;
/// other inputs have one per position.
graph::ValueId noise_features(Branch& branch, std::int64_t size);

/// Repeats a value [N, C, 1, 1] over the whole picture; returns vectors and tokens unchanged.
graph::ValueId spread(Branch& branch, graph::ValueId value);

}  // namespace esper::blueprints
