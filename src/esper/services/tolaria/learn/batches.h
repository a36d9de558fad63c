#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "esper/services/tolaria/data/prefetching_loader.h"

namespace esper::tolaria {

/// A batch's buffers as tensors {inputs, targets}, without a copy; valid as long as the batch
/// exists. Images are [N, C, H, W] with the strides of the data set's layout, tokens i64 [N, T],
/// the rows of a table f32 [N, F]. Targets are i64 [N] or [N, T], f32 [N] for regression, bool [N,
/// K] for labels (a copy), or the batch's soft ones, f32 [N, K] of classes and [N, 2, K] of labels.
std::vector<at::Tensor> as_tensors(const Batch& batch, const DatasetInfo& info);

}  // namespace esper::tolaria
