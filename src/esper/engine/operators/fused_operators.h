#pragma once

namespace esper::graph::kernels {

/// Registers the fused operators with libtorch's dispatcher, for the CPU; idempotent. They have no
/// derivative, because recorded lists run below autograd.
void register_fused_operators();

}  // namespace esper::graph::kernels
