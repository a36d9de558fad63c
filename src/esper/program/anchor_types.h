#pragma once

#include <vector>

#include "esper/program/program.h"

namespace esper::graph {

/// The type of each anchor's value, in the order of anchors(). Sizes that depend on a free size of
/// the inputs are free (-1). Blueprints are made for these types. Errors: those of infer_types().
Result<std::vector<TensorType>> anchor_types(const Program& program);

}  // namespace esper::graph
