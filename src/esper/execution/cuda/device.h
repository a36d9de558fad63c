#pragma once
// execution/cuda: the GPU twins of the alpha blend and of the state table. Built where nvcc is;
// they need neither libtorch nor a GPU to build, and say so (kNoDevice) where there is none to run
// on.

#include <cstddef>
#include <memory>
#include <string>

#include "esper/base/error.h"

namespace esper::execution::cuda {

#define ESPER_CUDA_ERRORS(X) \
    X(kNoDevice, kRuntime)   \
    X(kFailed, kRuntime) /* what the CUDA runtime said is in the message */
ESPER_DEFINE_ERRORS(CudaError, "cuda", ESPER_CUDA_ERRORS)

/// A cudaStream_t, or null for the default stream.
using Stream = void*;

/// The name of the GPU in use; kNoDevice without one (or without its driver).
Result<std::string> device_name();

/// Memory of the GPU, freed at the end.
class DeviceMemory {
  public:
    DeviceMemory() = default;
    static Result<DeviceMemory> allocate(std::size_t bytes);
    static Result<DeviceMemory> copy_of(const void* host, std::size_t bytes);
    Status read(void* host, std::size_t bytes) const;
    Status write(const void* host, std::size_t bytes);

    template <typename T>
    T* as() const {
        return static_cast<T*>(memory_.get());
    }
    std::size_t bytes() const { return bytes_; }

  private:
    struct Free {
        void operator()(void* p) const;
    };
    std::unique_ptr<void, Free> memory_;
    std::size_t bytes_ = 0;
};

/// Waits for everything on the stream.
Status synchronise(Stream stream = nullptr);

}  // namespace esper::execution::cuda
