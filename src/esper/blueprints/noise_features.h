#pragma once

#include "esper/blueprints/branch.h"

namespace esper::blueprints {

/// `size` features that say nothing about the input: sin(P·x̂ + φ), x̂ the normalised input without
/// gradient, P random and fixed, of such a scale that the argument has a standard deviation of
/// about 100 radians. Any two inputs that are not the same number for number land on unrelated
/// phases, so the features are a fixed hash of the example: mean 0, variance ½, and uncorrelated
/// with every smooth function of x (for a normal argument the correlation falls as exp(−100²/2)).
/// For images there is one feature vector per picture, [N, size, 1, 1], since pixels of a flat
/// background would repeat; otherwise one per position.
graph::ValueId noise_features(Branch& branch, std::int64_t size);

/// Repeats what has one position per picture over the picture; vectors and tokens pass.
graph::ValueId spread(Branch& branch, graph::ValueId value);

}  // namespace esper::blueprints
