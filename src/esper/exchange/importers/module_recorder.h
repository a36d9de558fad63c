#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "esper/exchange/importers/pt2.h"

namespace esper::graph {

/// What is to be recorded: a forward pass, and the names of the tensors it may use.
struct RecordedForward {
    using Named = std::vector<std::pair<std::string, at::Tensor>>;
    std::string name = "module";
    Named parameters;
    Named buffers;
    /// What the names of tensors from elsewhere begin with; a number follows.
    std::string constants = "constant.";
    /// Takes the inputs, gives the outputs; called once.
    std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&)> forward;
};

/// Turns one run of any C++ forward pass (a `torch::nn::Module`, plain functions) into a Program,
/// by noting every operator that goes through the dispatcher above autograd. The model's `tensors`
/// are the very tensors that were given: parameters stay shared with the module. Tensors that the
/// forward pass brings along from elsewhere become buffers, named by `constants`.
///
/// Shapes, numbers and branches are those of this run: record once per mode and input signature.
/// Of a run in training mode the same Program serves for evaluation, as far as BatchNorm and
/// dropout are concerned. Anchors are the linear and convolution layers, and the modules around
/// them as far as the parameters' names tell. Buffers are as before afterwards.
///
/// Errors: kUnsupported (values that depend on data, random numbers without a counter-based form,
/// element types that a Program cannot hold), kExecution (the forward pass threw).
Result<ImportedModel> record_forward(const RecordedForward& module,
                                     const std::vector<at::Tensor>& inputs);

}  // namespace esper::graph
