#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "esper/base/error.h"
#include "esper/kernel_abi.h"
#include "esper/program/program.h"

namespace esper::graph {

struct BranchKernel;
enum class KernelPart : std::uint8_t { kForward, kBackward };

/// A backward pass and what it was made of.
struct BranchPass {
    const at::Tensor& x;
    const at::Tensor& gradient;
    const std::vector<at::Tensor>& parameters;
    const std::vector<at::Tensor>& gradients;  ///< dx, undefined where unwanted, then parameters'
};

/// Stands between a seed's kernel and whoever runs the seed.
class KernelWatch {
  public:
    virtual ~KernelWatch() = default;
    /// Makes the call. Errors: what went wrong with the kernel.
    virtual Status call(const BranchKernel& kernel, KernelPart part,
                        const EsperKernelCall& call) = 0;
    /// Looks at what a pass gave. Errors: it is wrong.
    virtual Status examine(const BranchKernel& kernel, const BranchPass& pass) = 0;

    ProgramPtr branch;  ///< what the kernel stands for, as soon as a Program with the seed is run
};

/// A branch's native kernel in this process (include/esper/kernel_abi.h, interface 3).
struct BranchKernel {
    std::string id;  ///< of the artifact
    const EsperKernelInfo* info = nullptr;
    decltype(&esper_kernel_forward) forward = nullptr;
    decltype(&esper_kernel_backward) backward = nullptr;
    std::shared_ptr<void> library;       ///< keeps the code mapped
    std::shared_ptr<KernelWatch> watch;  ///< null: its functions are called as they are
    /// Set by whoever called it in vain: it is not called again.
    mutable bool failed = false;
    mutable std::string fault;  ///< the error that it reported
};
using BranchKernelPtr = std::shared_ptr<const BranchKernel>;

/// x as a kernel reads it: features last in memory.
at::Tensor features_last(const at::Tensor& x);

struct BranchForward {
    at::Tensor y;      ///< beta · x + alpha · s(x), dense, of x's shape
    at::Tensor saved;  ///< f32, what backward reads
};

/// x is f32 with `info->features` in its last dimension; parameters are those of the branch in
/// order. Work is split over libtorch's threads; their number changes no bit.
/// Errors: kShapeMismatch, kExecution, those of the kernel's watch.
Result<BranchForward> run_forward(const BranchKernel& kernel, const at::Tensor& x,
                                  const std::vector<at::Tensor>& parameters, double alpha,
                                  double beta);
/// dx (undefined where it is not wanted), then the gradient of each parameter in its own memory
/// order.
Result<std::vector<at::Tensor>> run_backward(const BranchKernel& kernel, const at::Tensor& gradient,
                                             const at::Tensor& x,
                                             const std::vector<at::Tensor>& parameters,
                                             const at::Tensor& saved, double alpha, double beta,
                                             bool want_dx = true);

}  // namespace esper::graph
