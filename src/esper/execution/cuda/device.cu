#include "esper/execution/cuda/check.cuh"
#include "esper/execution/cuda/device.h"

namespace esper::execution::cuda {

Status check(cudaError_t code, const char* what) {
    if (code == cudaSuccess) return {};
    const bool no_device = code == cudaErrorNoDevice || code == cudaErrorInsufficientDriver;
    const std::string said = std::string(what) + ": " + cudaGetErrorString(code);
    if (no_device) return fail(CudaError::kNoDevice, said + "; the CPU's kernels do the same");
    return fail(CudaError::kFailed, said);
}

Result<std::string> device_name() {
    int device = 0;
    cudaDeviceProp properties{};
    ESPER_CHECK_STATUS(check(cudaGetDevice(&device), "no GPU to use"));
    ESPER_CHECK_STATUS(check(cudaGetDeviceProperties(&properties, device), "no GPU to use"));
    return std::string(properties.name);
}

void DeviceMemory::Free::operator()(void* p) const { cudaFree(p); }

Result<DeviceMemory> DeviceMemory::allocate(std::size_t bytes) {
    void* raw = nullptr;
    ESPER_CHECK_STATUS(check(cudaMalloc(&raw, bytes), "GPU memory"));
    DeviceMemory memory;
    memory.memory_.reset(raw);
    memory.bytes_ = bytes;
    return memory;
}

Result<DeviceMemory> DeviceMemory::copy_of(const void* host, std::size_t bytes) {
    ESPER_TRY(DeviceMemory memory, allocate(bytes));
    ESPER_CHECK_STATUS(memory.write(host, bytes));
    return memory;
}

Status DeviceMemory::read(void* host, std::size_t bytes) const {
    return check(cudaMemcpy(host, memory_.get(), bytes, cudaMemcpyDeviceToHost), "read from GPU");
}

Status DeviceMemory::write(const void* host, std::size_t bytes) {
    return check(cudaMemcpy(memory_.get(), host, bytes, cudaMemcpyHostToDevice), "write to GPU");
}

Status synchronise(Stream stream) {
    return check(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)), "GPU work");
}

}  // namespace esper::execution::cuda
