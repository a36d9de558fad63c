#pragma once

#include "esper/execution/kernels/child_process.h"
#include "esper/execution/kernels/kernel_error.h"
#include "esper/kernel_abi.h"

namespace esper::execution {

using KernelFunction = decltype(&esper_kernel_forward);

/// Calls a kernel of load_branch_library() in a process of its own, which has nothing of this one
/// but the call's inputs, to be read only, and results, each between inaccessible pages: a call
/// costs the same however much memory this process has. One thread makes it; a kernel gives the
/// same bits for any number of them. Thread-compatible.
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
