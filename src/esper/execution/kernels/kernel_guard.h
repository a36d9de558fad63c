#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <span>

#include "esper/execution/kernels/kernel_image.h"
#include "esper/execution/kernels/kernel_tensor.h"

namespace esper::execution {

/// Runs one kernel in a worker process, so that crashes, hangs, exits and writes out of bounds do
/// not harm this one. Inputs and outputs are copied; the kernel never sees the caller's memory.
/// After any error except kReturnedError, kWrongShape and kWrongDtype the worker has ended and the
/// guard cannot be used again. Thread-compatible.
class KernelGuard {
  public:
    /// Starts `helper` (esper-kernel-guard), which loads the sealed image. Errors:
    /// kGuardUnavailable, kNotLoadable, kMissingSymbol, kAbiMismatch; and, if the library's
    /// constructors fail, kCrashed, kExited, kTimedOut.
    static Result<std::unique_ptr<KernelGuard>> start(int image_fd,
                                                      const std::filesystem::path& helper,
                                                      std::chrono::nanoseconds deadline);
    ~KernelGuard();

    /// Calls the kernel once. The outputs are written only on success. Errors: kReturnedError,
    /// kWrongShape, kWrongDtype, kOverrun, kTimedOut, kCrashed, kExited, kOutOfMemory.
    Status run(std::span<const KernelTensor> inputs, std::span<const KernelTensor> outputs,
               std::chrono::nanoseconds deadline);

    bool alive() const { return process_ > 0; }
    pid_t process() const { return process_; }

    /// Path of the helper: $ESPER_KERNEL_GUARD, else the folder of this program.
    static std::filesystem::path default_helper();

  private:
    struct Channel;
    KernelGuard();
    Error bury(bool timed_out);
    Status exchange(std::chrono::nanoseconds deadline, std::span<const int> fds);
    Status lay_out(std::span<const KernelTensor> inputs, std::span<const KernelTensor> outputs);
    bool canaries_stand() const;

    pid_t process_ = -1;
    OwnedFd socket_;
    OwnedFd shared_;
    char* map_ = nullptr;
    std::int64_t map_bytes_ = 0;
    std::unique_ptr<Channel> channel_;
};

}  // namespace esper::execution
