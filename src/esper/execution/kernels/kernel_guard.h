#pragma once

#include "esper/execution/kernels/child_process.h"
#include "esper/execution/kernels/kernel_error.h"
#include "esper/kernel_abi.h"

namespace esper::execution {

using KernelFunction = decltype(&esper_kernel_forward);

/// Calls a kernel in a copy of this process, so that what goes wrong in it harms the copy alone.
/// Everything that the kernel may write lies in memory of its own there, with an inaccessible page
/// behind each piece. Only one thread runs in the copy; a kernel gives the same bits for any number
/// of them. Thread-compatible.
class KernelGuard {
  public:
    /// A kernel's call may take this much processor time, whatever it computes.
    static constexpr ChildLimits kLimits{.cpu_seconds = 20, .wall_seconds = 300, .memory_bytes = 0};

    /// Error: kGuardUnavailable.
    static Result<KernelGuard> make(ChildLimits limits = kLimits);

    /// What the call is to write is written only if all went well. Errors: kCrashed, kExited,
    /// kTimedOut, kOverrun (it wrote where it may only read), kReturnedError; kGuardUnavailable, if
    /// no process can be made, which says nothing about the kernel.
    Status call(KernelFunction function, const EsperKernelInfo& info,
                const EsperKernelCall& call) const;

  private:
    KernelGuard(WorkFolder folder, ChildLimits limits)
        : folder_(std::move(folder)), limits_(limits) {}
    WorkFolder folder_;
    ChildLimits limits_;
};

}  // namespace esper::execution
