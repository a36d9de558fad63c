#pragma once

#include <cstdint>
#include <vector>

#include "esper/program/program.h"

namespace esper::graph {

/// Operations of one instruction for one example. A multiply-add counts as two; an element-wise
/// operator as one per output element; norms and softmax as one per documented step.
struct InstructionCost {
    std::uint64_t forward_flops = 0;
    /// Operations of the backward pass, to the inputs and parameters that need gradients (twice the
    /// forward pass for linear maps).
    std::uint64_t backward_flops = 0;
    std::int64_t parameters = 0;
};
struct Cost {
    std::vector<InstructionCost> instructions;
    std::uint64_t forward_flops = 0;   ///< one example, forward
    std::uint64_t training_flops = 0;  ///< one example, forward + backward
    std::int64_t parameters = 0;
};

/// Counts exactly, from inferred shapes (shapes.h). An operator without a rule is an error; it
/// never counts as zero.
Result<Cost> count_cost(const Program& program);

}  // namespace esper::graph
