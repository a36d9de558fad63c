#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <span>

#include "esper/execution/kernels/kernel_image.h"
#include "esper/execution/kernels/kernel_tensor.h"

namespace esper::execution {

/// One kernel in a process of its own: crashes, hangs, exits and writes out of bounds stay there.
/// Inputs are copied in and outputs copied out, so the caller's memory is never the kernel's.
/// Thread-compatible. After any error but kReturnedError, kWrongShape and kWrongDtype the process
/// is gone and the guard is of no more use.
class KernelGuard {
  public:
    /// Starts `helper` (esper-kernel-guard) and has it load the sealed image: kGuardUnavailable,
    /// kNotLoadable, kMissingSymbol, kAbiMismatch; and what the library's constructors may do:
    /// kCrashed, kExited, kTimedOut.
    static Result<std::unique_ptr<KernelGuard>> start(int image_fd,
                                                      const std::filesystem::path& helper,
                                                      std::chrono::nanoseconds deadline);
    ~KernelGuard();

    /// One call: kReturnedError, kWrongShape, kWrongDtype, kOverrun, kTimedOut, kCrashed, kExited,
    /// kOutOfMemory. The outputs are written only on success.
    Status run(std::span<const KernelTensor> inputs, std::span<const KernelTensor> outputs,
               std::chrono::nanoseconds deadline);

    bool alive() const { return process_ > 0; }
    pid_t process() const { return process_; }

    /// Where the helper is: $ESPER_KERNEL_GUARD, or beside this program.
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
