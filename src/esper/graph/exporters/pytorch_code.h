#pragma once

#include <string>

#include "esper/graph/exporters/safetensors.h"
#include "esper/graph/program.h"
#include "esper/graph/tensor_store.h"

namespace esper::graph {

/// Plain PyTorch code for a Program: `class Model(nn.Module)` whose state_dict has the Program's
/// names, with one statement per instruction and a class of its own for each seed. It needs torch
/// and nothing else; `Model.load()` reads the `model.safetensors` beside it.
/// Errors: kUnknownOperator.
Result<std::string> pytorch_code(const Program& program);

/// What the code loads: every parameter and buffer of the Program, and the controls it reads, under
/// their names. Errors: kUnknownName where the store lacks one.
Result<Safetensors> pytorch_tensors(const Program& program, const TensorStore& store);

}  // namespace esper::graph
