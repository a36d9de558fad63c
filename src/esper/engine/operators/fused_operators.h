#pragma once

namespace esper::graph::kernels {

/// Defines the fused operators with the dispatcher, for the CPU; idempotent. They have no
/// derivative: they stand below autograd, in recorded lists.
void register_fused_operators();

}  // namespace esper::graph::kernels
