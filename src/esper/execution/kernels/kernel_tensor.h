#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "esper/execution/kernels/kernel_error.h"
#include "esper/kernel_abi.h"

namespace esper::execution {

enum class KernelDtype : std::int32_t {
    kF32 = ESPER_F32,
    kBf16 = ESPER_BF16,
    kF16 = ESPER_F16,
    kF64 = ESPER_F64,
    kI64 = ESPER_I64,
};
std::int64_t bytes_of(KernelDtype dtype);
std::string_view to_text(KernelDtype dtype);

/// A dense, row-major tensor in the caller's memory.
struct KernelTensor {
    void* data = nullptr;
    std::vector<std::int64_t> shape;
    KernelDtype dtype = KernelDtype::kF32;

    std::int64_t elements() const;
    std::int64_t bytes() const { return elements() * bytes_of(dtype); }
};

/// Error: kBadCall when a kernel cannot be called with these tensors: too many tensors, too many
/// dimensions, negative or overflowing sizes, no data.
Status check_call(std::span<const KernelTensor> inputs, std::span<const KernelTensor> outputs);

/// Compares the output that the kernel reports with the expected one. Errors: kWrongShape,
/// kWrongDtype.
Status check_output(const EsperTensor& written, const KernelTensor& expected);
/// Error: kNotFinite when floating-point data contains NaN or infinity.
Status check_finite(const KernelTensor& output);

/// The C form of a tensor. For an output, the kernel sets shape, rank and dtype.
EsperTensor input_tensor(const KernelTensor& tensor);
EsperTensor output_tensor(const KernelTensor& tensor);

}  // namespace esper::execution
