#pragma once

#include "esper/engine/op_list.h"
#include "esper/program/program.h"

namespace esper::graph {

/// Turns one instruction into a call. The slots have the numbers of the Program's values. Error:
/// kUnknownOperator.
Result<OpCall> lower(const Instruction& instruction, bool training);

}  // namespace esper::graph
