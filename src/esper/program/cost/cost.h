#pragma once

#include <cstdint>
#include <vector>

#include "esper/program/program.h"

namespace esper::graph {

/// Arithmetic of one instruction for one example: a multiply-add counts as two operations,
/// element-wise operators one per output element (and per documented step for norms, softmax).
struct InstructionCost {
    std::uint64_t forward_flops = 0;
    /// Of the backward pass to inputs and parameters, where gradients are needed (2x for linear
    /// maps).
    std::uint64_t backward_flops = 0;
    std::int64_t parameters = 0;
};
struct Cost {
    std::vector<InstructionCost> instructions;
    std::uint64_t forward_flops = 0;   ///< one example, forward
    std::uint64_t training_flops = 0;  ///< one example, forward + backward
    std::int64_t parameters = 0;
};

/// Exact counts from inferred shapes (shapes.h). An operator without a rule is an error, never
/// zero.
Result<Cost> count_cost(const Program& program);

}  // namespace esper::graph
