#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "esper/execution/kernels/cache_types.h"
#include "esper/execution/kernels/kernel_bundle.h"
#include "esper/execution/kernels/kernel_image.h"
#include "esper/execution/kernels/kernel_tensor.h"

namespace esper::execution {

class KernelGuard;

/// A verified kernel: its sealed image and, after `enter_process`, the mapped library. No code of
/// the kernel runs in this process before `enter_process`. Thread-safe; kernels must be so, too.
class LoadedKernel final : public CachedKernel {
  public:
    /// The executor's data about a kernel in memory.
    struct Runtime {
        std::mutex mutex;
        std::unique_ptr<KernelGuard> guard;        // under the mutex
        std::atomic<std::uint32_t> clean_runs{0};  // in the guard process since it was loaded
    };

    LoadedKernel(std::string artifact_id, std::uint64_t bytes, OwnedFd image);
    ~LoadedKernel() override;

    const std::string& artifact_id() const { return artifact_id_; }
    std::uint64_t charge() const override { return bytes_; }
    int image_fd() const { return image_.get(); }

    Runtime& runtime() { return runtime_; }

    /// Maps the library into this process, once. After this a crash of the kernel is a crash of
    /// this process. Errors: kNotLoadable, kMissingSymbol, kAbiMismatch.
    Status enter_process();
    /// Calls the kernel; enter_process must have succeeded. `outputs` have the memory to write to
    /// and the expected shapes and types. Errors: kReturnedError, kWrongShape, kWrongDtype.
    Status run(std::span<const KernelTensor> inputs, std::span<const KernelTensor> outputs) const;

  private:
    using RunFunction = decltype(&esper_kernel_run);
    const std::string artifact_id_;
    const std::uint64_t bytes_;
    const OwnedFd image_;  // open while mapped: the dynamic linker identifies a library by its path
    std::mutex mutex_;
    void* library_ = nullptr;
    RunFunction run_ = nullptr;
    Runtime runtime_;
};

/// Fetches bundles through `fetch` and loads only kernels that verify_bundle() accepts.
class VerifiedKernelSource final : public KernelSource {
  public:
    using Fetch = std::function<Result<std::string>(std::uint64_t id)>;
    /// What is needed of the kernel besides its id, e.g. the shape that a seed will call it with.
    using Want = std::function<KernelWant(std::uint64_t id)>;
    VerifiedKernelSource(Fetch fetch, KeyRing ring, Want want = {})
        : fetch_(std::move(fetch)), ring_(std::move(ring)), want_(std::move(want)) {}
    Result<std::string> fetch(std::uint64_t id) override { return fetch_(id); }
    Result<std::unique_ptr<CachedKernel>> load(std::uint64_t id, std::string bytes) override;

  private:
    const Fetch fetch_;
    const KeyRing ring_;
    const Want want_;
};

}  // namespace esper::execution
