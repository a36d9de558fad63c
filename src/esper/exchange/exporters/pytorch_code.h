#pragma once

#include <map>
#include <string>

#include "esper/engine/tensor_store.h"
#include "esper/exchange/exporters/safetensors.h"
#include "esper/program/program.h"

namespace esper::graph {

/// Plain PyTorch code for a Program: a `class Model(nn.Module)` with one statement per instruction
/// and one class per seed. Its state_dict has the Program's names. The code needs only torch;
/// `Model.load()` reads `model.safetensors` in the same folder.
/// Error: kUnknownOperator.
Result<std::string> pytorch_code(const Program& program);

/// Plain PyTorch code for the seeds of a Program, one class each. A class's forward takes the
/// anchor's value y (and α if the seed is blended) and returns the value that replaces y.
struct SeedClasses {
    std::string text;                            ///< imports, helpers and one class per seed
    std::map<std::string, std::string> classes;  ///< seed → its class
};
/// Errors: kUnknownOperator; kIllegalEdit if an instruction outside a seed reads its values, except
/// the join's result.
Result<SeedClasses> pytorch_seeds(const Program& program);

/// The tensors for the code: all parameters and buffers of the Program, and the controls that it
/// reads, by name. Error: kUnknownName if the store lacks one.
Result<Safetensors> pytorch_tensors(const Program& program, const TensorStore& store);

}  // namespace esper::graph
