#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "esper/engine/joint/joint_program.h"
#include "esper/engine/op_list.h"

namespace esper::graph {

/// What a branch s computes, as one list of operators without autograd: (x, g, θ) → (y, dx, dθ)
/// with y = s(x), g = ∂L/∂y.
struct BranchRecording {
    OpList ops;
    std::uint32_t x = 0;
    std::uint32_t gradient = 0;
    std::uint32_t y = 0;
    std::uint32_t dx = 0;  ///< kNoSlot: s does not depend on x
    std::vector<std::string> parameters;
    std::vector<at::Tensor> parameter_values;        ///< as the operators read them
    std::vector<std::uint32_t> parameter_gradients;  ///< kNoSlot: not trainable
    std::map<std::uint32_t, at::Tensor> persistent;
    std::map<std::uint32_t, at::Tensor> values;  ///< the tensor of each slot while recording
};

/// Records a branch's forward and backward pass for an input like `x`, a gradient like `gradient`
/// and its parameters in the Program's order. The branch has no buffers and no controls. Errors:
/// those of the interpreter, kNotDifferentiable, kUnknownName for a branch with buffers.
Result<BranchRecording> record_branch(const ProgramPtr& branch,
                                      const std::vector<at::Tensor>& parameters,
                                      const at::Tensor& x, const at::Tensor& gradient,
                                      Precision precision);

/// Runs the branch by the interpreter and differentiates it, in the type of the given tensors: y,
/// dx, then the gradient of each parameter in the Program's order (zeros where none is trainable).
Result<std::vector<at::Tensor>> interpret_branch(const ProgramPtr& branch,
                                                 const std::vector<at::Tensor>& parameters,
                                                 const at::Tensor& x, const at::Tensor& gradient,
                                                 Precision precision);

/// A recorded branch with the rewrites of Rewrites::kFast, as a run's joint Program has it: what a
/// kernel must be faster than. Rewrites that no branch can have a use for are left out.
class BranchList {
  public:
    /// The recording's parameters stay bound. Errors: none known.
    static Result<BranchList> make(BranchRecording recording);
    /// Forward and backward once; results are dropped. x and gradient are like the recorded ones.
    Status run(const at::Tensor& x, const at::Tensor& gradient);

  private:
    OpList ops_;
    std::vector<c10::IValue> slots_;
    std::uint32_t x_ = 0;
    std::uint32_t gradient_ = 0;
    std::vector<std::uint32_t> outputs_;
    std::vector<std::pair<std::uint32_t, at::Tensor>> gradients_;
};

}  // namespace esper::graph
