#pragma once

#include "esper/engine/op_list.h"
#include "esper/program/program.h"

namespace esper::graph {

/// One instruction as a call over slots numbered like the Program's values. Whatever is run or
/// looked at passes through here, so nothing outside of the table of operators is ever called.
/// Errors: kForbiddenOperator, kUnknownOperator.
Result<OpCall> lower(const Instruction& instruction, bool training);

}  // namespace esper::graph
