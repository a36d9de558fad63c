#pragma once

#include <functional>
#include <string>

#include "esper/program/program.h"

namespace esper::graph {

/// A constant as Python writes it: `None`, `self.training`, `(1, 2)`, `torch.float32`.
std::string python_constant(const Constant& constant);

/// One instruction as a Python expression: a function of torch or F where this file knows one, else
/// `torch.ops.aten.<operator>.<overload>(…)`, which works for all of ATen. `name_of` gives the
/// expression for a value. Errors: kUnknownOperator for an operator that PyTorch does not have,
/// kForbiddenOperator, kBadArguments.
Result<std::string> python_call(const Instruction& instruction,
                                const std::function<std::string(ValueId)>& name_of);

}  // namespace esper::graph
