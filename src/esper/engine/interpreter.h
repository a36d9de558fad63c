#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <vector>

#include "esper/program/program.h"

namespace esper::graph {

class TensorStore;
struct KernelRegion;

/// Runs a Program call by call through libtorch's dispatcher, with autograd and autocast as the
/// caller has set them. The reference for JointProgram and other faster ways.
class Interpreter {
  public:
    /// Looks up all operators and constants. `training` is the value of the training flag.
    /// `kernels` compute their regions (seed_kernels.h).
    static Result<Interpreter> make(ProgramPtr program, bool training,
                                    const std::vector<KernelRegion>* kernels = nullptr);
    ~Interpreter();
    Interpreter(Interpreter&&) noexcept;
    Interpreter& operator=(Interpreter&&) noexcept;

    /// Runs with parameters, buffers and controls from `store` (by name) and `inputs` in the order
    /// of the Program's inputs. Returns the outputs in order, then the values named by `taps`.
    /// Errors: kUnknownName, kShapeMismatch, kExecution.
    Result<std::vector<at::Tensor>> run(const TensorStore& store,
                                        std::span<const at::Tensor> inputs,
                                        std::span<const ValueId> taps = {}) const;

    /// The tensors of one run, given directly instead of by name: one per parameter, buffer,
    /// control and input, in the order of the Program's declarations.
    struct Bindings {
        std::vector<at::Tensor> parameters;
        std::vector<at::Tensor> buffers;
        std::vector<at::Tensor> controls;
        std::vector<at::Tensor> inputs;
    };
    static Result<Bindings> bind(const Program& program, const TensorStore& store,
                                 std::span<const at::Tensor> inputs);
    Result<std::vector<at::Tensor>> run(const Bindings& bindings,
                                        std::span<const ValueId> taps = {}) const;

    const Program& program() const;

  private:
    struct Impl;
    explicit Interpreter(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace esper::graph
