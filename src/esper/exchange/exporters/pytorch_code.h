#pragma once

#include <map>
#include <string>

#include "esper/engine/tensor_store.h"
#include "esper/exchange/exporters/safetensors.h"
#include "esper/program/program.h"

namespace esper::graph {

/// Plain PyTorch code for a Program: `class Model(nn.Module)` whose state_dict has the Program's
/// names, with one statement per instruction and a class of its own for each seed. It needs torch
/// and nothing else; `Model.load()` reads the `model.safetensors` beside it.
/// Errors: kUnknownOperator.
Result<std::string> pytorch_code(const Program& program);

/// The seeds of a Program alone, each as a class of plain PyTorch whose forward takes the anchor's
/// value y (and α while it is blended) and returns what stands for it.
struct SeedClasses {
    std::string text;                            ///< imports, helpers and one class a seed
    std::map<std::string, std::string> classes;  ///< seed → its class
};
/// Errors: kUnknownOperator; kIllegalEdit where something besides the join reads a seed's values.
Result<SeedClasses> pytorch_seeds(const Program& program);

/// What the code loads: every parameter and buffer of the Program, and the controls it reads, under
/// their names. Errors: kUnknownName where the store lacks one.
Result<Safetensors> pytorch_tensors(const Program& program, const TensorStore& store);

}  // namespace esper::graph
