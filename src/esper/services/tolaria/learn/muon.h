#pragma once

#include <ATen/core/Tensor.h>

#include <set>
#include <string>

#include "esper/engine/tensor_store.h"
#include "esper/program/program.h"

namespace esper::tolaria {

/// Muon (Jordan et al. 2024): the momentum of a matrix is made orthogonal by five steps of Newton
/// and Schulz before it is taken off. As torch.optim.Muon with adjust_lr_fn="match_rms_adamw" (Liu
/// et al. 2025), which lets it share AdamW's learning rate; the iteration is in float32, torch's in
/// bfloat16.
struct MuonStep {
    double learning_rate = 1e-3;
    double momentum = 0.95;
    bool nesterov = true;
    double weight_decay = 0.1;
    double gradient_scale = 1;
};

/// m ← μ·m + (1-μ)·g; u ← orthogonal(g + μ·(m - g)) with Nesterov, of m without;
/// p ← p·(1 - lr·decay) - 0.2·√max(rows, columns)·lr·u. A tensor of more than two dimensions is a
/// matrix with a row for each of its first.
void muon_step(const MuonStep& step, const at::Tensor& value, const at::Tensor& gradient,
               const at::Tensor& momentum);

/// The matrix that is nearest to orthogonal in the direction of `matrix`, up to singular values
/// between about 0.7 and 1.2.
at::Tensor orthogonal(const at::Tensor& matrix);

/// A view of a flat tensor laid out like a block, where the block has `entry`, with its shape.
at::Tensor like_entry(const at::Tensor& flat, const graph::TensorBlock::Entry& entry);

/// The parameters of two and more dimensions that are neither embeddings nor part of what computes
/// an output of the Program directly: those that Muon is meant for.
std::set<std::string, std::less<>> inner_matrices(const graph::Program& program);

}  // namespace esper::tolaria
