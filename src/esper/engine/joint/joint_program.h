#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "esper/engine/tensor_store.h"
#include "esper/program/program.h"

namespace esper::graph {

enum class Precision : std::uint8_t {
    kFloat32,
    kBFloat16,  ///< autocast's casts recorded in; parameters and gradients stay float32
};

/// How far a recorded list may be from what was recorded.
enum class Rewrites : std::uint8_t {
    kNone,   ///< as it was recorded; the reference for all rewrites
    kExact,  ///< fewer calls and copies, every bit as recorded
    kFast,   ///< fused kernels of our own as well: other roundings, within docs/engine.md's bounds
};

/// What to record a Program into.
struct JointSpec {
    ProgramPtr program;
    bool training = true;
    Precision precision = Precision::kFloat32;
    /// Outputs whose sum is differentiated to every trainable parameter; none: forward only.
    std::vector<std::string> losses;
    /// Values to return beside the outputs (activations at anchors).
    std::vector<ValueId> taps;
    /// Values v for which d(sum of losses)/dv is returned.
    std::vector<ValueId> gradient_taps;
    Rewrites rewrites = Rewrites::kExact;
};

/// A Program's forward and backward pass as one flat list of primitive operators, recorded below
/// autograd by running both once (docs/engine.md), bound to the tensors of one store. Valid for one
/// input signature. Unless fast rewrites are asked for, replaying gives bit for bit what the
/// interpreter with autograd gives.
class JointProgram {
  public:
    /// Records on example inputs; buffers of the store are left as they were. Errors: kUnknownName,
    /// kShapeMismatch, kNotDifferentiable, kExecution.
    static Result<JointProgram> record(const JointSpec& spec, TensorStore& store,
                                       std::span<const at::Tensor> example_inputs);
    ~JointProgram();
    JointProgram(JointProgram&&) noexcept;
    JointProgram& operator=(JointProgram&&) noexcept;

    struct Outputs {
        std::vector<at::Tensor> outputs;        ///< the Program's, in order
        std::vector<at::Tensor> taps;           ///< as in the spec
        std::vector<at::Tensor> gradient_taps;  ///< as in the spec; undefined where no path leads
    };

    /// Runs once. Gradients are written into the store's blocks (not accumulated; zero for
    /// parameters the losses do not depend on). `inputs` must have the shapes and types of the
    /// example. Errors: kShapeMismatch, kExecution (the gradients are then undefined).
    Result<Outputs> run(std::span<const at::Tensor> inputs);

    /// Whether run() takes inputs of these shapes, strides and types.
    bool takes(std::span<const at::Tensor> inputs) const;
    /// Operators per run.
    std::size_t operator_count() const;
    /// One line per operator: name and how often it stands in the list, for profiles and tests.
    std::vector<std::pair<std::string, std::size_t>> operator_histogram() const;
    /// The list itself, one line per call.
    std::string listing() const;
    /// Where the time of a run goes, by operator and shape, largest first: the median of `runs`.
    /// Runs like run(). Errors: those of run(), thrown.
    std::string profile(std::span<const at::Tensor> inputs, int runs);

  private:
    struct Impl;
    explicit JointProgram(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace esper::graph
