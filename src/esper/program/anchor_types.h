#pragma once

#include <vector>

#include "esper/program/program.h"

namespace esper::graph {

/// The type of each anchor's value, in the order of anchors(), with the sizes that follow a free
/// size of the inputs left free (-1): the type that a blueprint for the anchor is made for. Errors:
/// as infer_types().
Result<std::vector<TensorType>> anchor_types(const Program& program);

}  // namespace esper::graph
