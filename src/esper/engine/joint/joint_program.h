#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "esper/engine/tensor_store.h"
#include "esper/program/program.h"

namespace esper::graph {

class SeedKernels;

enum class Precision : std::uint8_t {
    kFloat32,
    kBFloat16,  ///< the list contains autocast's casts; parameters and gradients stay float32
};

/// Which rewrites are applied to a recorded list.
enum class Rewrites : std::uint8_t {
    kNone,   ///< none; the reference for the others
    kExact,  ///< fewer calls and copies, but the same bits
    kFast,   ///< also our fused kernels: other roundings, within the bounds of docs/engine.md
};

/// What JointProgram::record records.
struct JointSpec {
    ProgramPtr program;
    bool training = true;
    Precision precision = Precision::kFloat32;
    /// Outputs whose sum is differentiated by every trainable parameter. Empty: forward pass only.
    std::vector<std::string> losses;
    /// Values to return in addition to the outputs (activations at anchors).
    std::vector<ValueId> taps;
    /// Values v for which d(sum of losses)/dv is returned.
    std::vector<ValueId> gradient_taps;
    Rewrites rewrites = Rewrites::kExact;
    /// Kernels that compute branches of seeds; null: the operators do.
    const SeedKernels* kernels = nullptr;
};

/// A Program's forward and backward pass as one flat list of primitive operators, bound to the
/// tensors of one store. The list is recorded below autograd while both passes run once
/// (docs/engine.md) and is valid for one input signature. Except with Rewrites::kFast, a replay
/// gives the same bits as the Interpreter with autograd.
class JointProgram {
  public:
    /// Records with example inputs. Does not change the store's buffers. Errors: kUnknownName,
    /// kShapeMismatch, kNotDifferentiable, kExecution.
    static Result<JointProgram> record(const JointSpec& spec, TensorStore& store,
                                       std::span<const at::Tensor> example_inputs);
    ~JointProgram();
    JointProgram(JointProgram&&) noexcept;
    JointProgram& operator=(JointProgram&&) noexcept;

    struct Outputs {
        std::vector<at::Tensor> outputs;        ///< the Program's, in order
        std::vector<at::Tensor> taps;           ///< as in the spec
        std::vector<at::Tensor> gradient_taps;  ///< as in the spec; undefined without a gradient
    };

    /// Runs once. Writes the gradients into the store's blocks; does not accumulate them. A
    /// parameter that the losses do not depend on gets zero. `inputs` must have the shapes and
    /// types of the example. Errors: kShapeMismatch, kExecution (gradients are undefined then).
    Result<Outputs> run(std::span<const at::Tensor> inputs);

    /// Whether run() takes inputs of these shapes, strides and types.
    bool takes(std::span<const at::Tensor> inputs) const;
    /// Operators per run.
    std::size_t operator_count() const;
    /// Each operator's name and its number of calls in the list, for profiles and tests.
    std::vector<std::pair<std::string, std::size_t>> operator_histogram() const;
    /// The list itself, one line per call.
    std::string listing() const;
    /// Time of a run by operator and shape, longest first, as medians over `runs` runs. Changes
    /// gradients and buffers like run(). Throws the errors of run().
    std::string profile(std::span<const at::Tensor> inputs, int runs);

  private:
    struct Impl;
    explicit JointProgram(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace esper::graph
