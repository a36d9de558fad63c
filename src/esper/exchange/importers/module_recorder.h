#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "esper/exchange/importers/pt2.h"

namespace esper::graph {

/// A forward pass to record, and the names of the model's tensors.
struct RecordedForward {
    using Named = std::vector<std::pair<std::string, at::Tensor>>;
    std::string name = "module";
    Named parameters;
    Named buffers;
    /// Prefix of the names of all other tensors; a number follows.
    std::string constants = "constant.";
    /// Computes the outputs from the inputs. Called once.
    std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&)> forward;
};

/// Records one run of any C++ forward pass (a `torch::nn::Module`, plain functions) as a Program,
/// by noting every operator that passes libtorch's dispatcher above autograd. The result's
/// `tensors` are the given ones, so parameters stay shared with the module. Other tensors that the
/// forward pass uses become buffers; their names begin with `constants`.
///
/// Shapes, numbers and branches are those of this run: record once per mode and input signature.
/// A Program recorded in training mode can also run in evaluation mode: BatchNorm and dropout then
/// behave accordingly. Anchors are the linear and convolution layers and the modules around them,
/// as the parameters' names show. Recording does not change the buffers.
///
/// Errors: kUnsupported (values that depend on data, random numbers without a counter-based form,
/// element types that a Program cannot have), kExecution (the forward pass threw).
Result<ImportedModel> record_forward(const RecordedForward& module,
                                     const std::vector<at::Tensor>& inputs);

}  // namespace esper::graph
