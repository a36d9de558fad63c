#pragma once
// Shapes of what slides windows over images: convolution, pooling, padding, sampling.

#include <ATen/core/Tensor.h>

namespace esper::graph::window_shapes {

at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight,
                       const std::optional<at::Tensor>& bias, c10::SymIntArrayRef stride,
                       c10::SymIntArrayRef padding, c10::SymIntArrayRef dilation, bool transposed,
                       c10::SymIntArrayRef output_padding, c10::SymInt groups);
at::Tensor adaptive_pool2d(const at::Tensor& x, c10::SymIntArrayRef size);
at::Tensor adaptive_pool3d(const at::Tensor& x, c10::SymIntArrayRef size);
at::Tensor reflection_pad2d(const at::Tensor& x, c10::SymIntArrayRef padding);
at::Tensor im2col(const at::Tensor& x, at::IntArrayRef kernel, at::IntArrayRef dilation,
                  at::IntArrayRef padding, at::IntArrayRef stride);
at::Tensor grid_sampler(const at::Tensor& x, const at::Tensor& grid, std::int64_t mode,
                        std::int64_t padding, bool align_corners);

}  // namespace esper::graph::window_shapes
