#pragma once
// execution/cuda: the alpha blend and the state table on a GPU. Built when nvcc is installed; the
// build needs neither libtorch nor a GPU. Without a GPU the functions return kNoDevice. No run uses
// this yet.

#include <cstddef>
#include <memory>
#include <string>

#include "esper/base/error.h"

namespace esper::execution::cuda {

#define ESPER_CUDA_ERRORS(X) \
    X(kNoDevice, kRuntime)   \
    X(kFailed, kRuntime) /* the message has the CUDA runtime's error */
ESPER_DEFINE_ERRORS(CudaError, "cuda", ESPER_CUDA_ERRORS)

/// A cudaStream_t, or null for the default stream.
using Stream = void*;

/// The name of the GPU in use; kNoDevice without one (or without its driver).
Result<std::string> device_name();

/// Memory of the GPU, freed by the destructor.
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

/// Waits until all work on the stream is done.
Status synchronise(Stream stream = nullptr);

}  // namespace esper::execution::cuda
