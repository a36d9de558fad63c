#include "esper/execution/kernels/kernel_tensor.h"

#include <fmt/format.h>

#include <algorithm>

namespace esper::execution {
namespace {

std::string shape_text(std::span<const std::int64_t> shape) {
    return fmt::format("[{}]", fmt::join(shape, ", "));
}

/// True when a value's exponent is all ones. Counts such values instead of stopping at the first,
/// because that vectorises, and a good output must be read to its end in any case.
template <typename Bits>
bool has_special(const void* data, std::int64_t n, Bits exponent) {
    const auto* values = static_cast<const Bits*>(data);
    constexpr std::int64_t kBlock = 4096;
    for (std::int64_t from = 0; from < n; from += kBlock) {
        Bits found = 0;
        const std::int64_t to = std::min(n, from + kBlock);
        for (std::int64_t i = from; i < to; ++i) {
            found = static_cast<Bits>(found | ((values[i] & exponent) == exponent ? 1 : 0));
        }
        if (found != 0) return true;
    }
    return false;
}

}  // namespace

std::int64_t bytes_of(KernelDtype dtype) {
    switch (dtype) {
        case KernelDtype::kF32:
            return 4;
        case KernelDtype::kBf16:
        case KernelDtype::kF16:
            return 2;
        default:
            return 8;
    }
}

std::string_view to_text(KernelDtype dtype) {
    constexpr std::string_view kNames[] = {"f32", "bf16", "f16", "f64", "i64"};
    const auto i = static_cast<std::size_t>(dtype);
    return i < 5 ? kNames[i] : "?";
}

std::int64_t KernelTensor::elements() const {
    std::int64_t n = 1;
    for (std::int64_t d : shape) n *= d;
    return n;
}

Status check_call(std::span<const KernelTensor> inputs, std::span<const KernelTensor> outputs) {
    auto bad = [](std::string what) { return fail(KernelError::kBadCall, std::move(what)); };
    if (inputs.size() > ESPER_KERNEL_MAX_TENSORS || outputs.size() > ESPER_KERNEL_MAX_TENSORS) {
        return bad(
            fmt::format("a kernel takes at most {} inputs and outputs", ESPER_KERNEL_MAX_TENSORS));
    }
    if (outputs.empty()) return bad("a kernel needs an output");
    for (auto list : {inputs, outputs}) {
        for (const KernelTensor& t : list) {
            if (t.shape.size() > ESPER_KERNEL_MAX_RANK) {
                return bad(
                    fmt::format("rank {} is above {}", t.shape.size(), ESPER_KERNEL_MAX_RANK));
            }
            std::int64_t bytes = bytes_of(t.dtype);
            for (std::int64_t d : t.shape) {
                if (d < 0 || __builtin_mul_overflow(bytes, d, &bytes) ||
                    bytes > (std::int64_t{1} << 40)) {
                    return bad(fmt::format("shape {} is no tensor's", shape_text(t.shape)));
                }
            }
            if (t.data == nullptr && bytes > 0) return bad("a tensor without data");
        }
    }
    return {};
}

Status check_output(const EsperTensor& written, const KernelTensor& expected) {
    if (written.dtype != static_cast<std::int32_t>(expected.dtype)) {
        return fail(
            KernelError::kWrongDtype,
            fmt::format("the kernel wrote {}, expected {}",
                        to_text(static_cast<KernelDtype>(written.dtype)), to_text(expected.dtype)));
    }
    const auto rank =
        static_cast<std::size_t>(std::clamp<std::int32_t>(written.rank, 0, ESPER_KERNEL_MAX_RANK));
    const std::span<const std::int64_t> shape(written.shape, rank);
    if (written.rank < 0 || !std::ranges::equal(shape, expected.shape)) {
        return fail(KernelError::kWrongShape,
                    fmt::format("the kernel wrote shape {}, expected {}", shape_text(shape),
                                shape_text(expected.shape)));
    }
    return {};
}

Status check_finite(const KernelTensor& output) {
    const std::int64_t n = output.elements();
    bool special = false;
    switch (output.dtype) {
        case KernelDtype::kF32:
            special = has_special<std::uint32_t>(output.data, n, 0x7f800000u);
            break;
        case KernelDtype::kBf16:
            special = has_special<std::uint16_t>(output.data, n, 0x7f80);
            break;
        case KernelDtype::kF16:
            special = has_special<std::uint16_t>(output.data, n, 0x7c00);
            break;
        case KernelDtype::kF64:
            special = has_special<std::uint64_t>(output.data, n, 0x7ff0000000000000ull);
            break;
        case KernelDtype::kI64:
            break;
    }
    if (!special) return {};
    return fail(KernelError::kNotFinite,
                fmt::format("the kernel's output {} {} holds NaN or infinity",
                            to_text(output.dtype), shape_text(output.shape)));
}

EsperTensor input_tensor(const KernelTensor& tensor) {
    EsperTensor t{};
    t.data = tensor.data;
    t.capacity = tensor.bytes();
    std::ranges::copy(tensor.shape, t.shape);
    t.rank = static_cast<std::int32_t>(tensor.shape.size());
    t.dtype = static_cast<std::int32_t>(tensor.dtype);
    return t;
}

EsperTensor output_tensor(const KernelTensor& tensor) {
    EsperTensor t{};
    t.data = tensor.data;
    t.capacity = tensor.bytes();
    t.rank = -1;
    t.dtype = -1;
    return t;
}

}  // namespace esper::execution
