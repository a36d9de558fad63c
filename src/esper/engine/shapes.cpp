#include "esper/program/shapes.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include "esper/engine/lowering.h"
#include "esper/engine/torch_compat.h"

namespace esper::graph {

namespace {

constexpr std::int64_t kSmall = 1 << 16;

at::Tensor meta_tensor(at::IntArrayRef sizes, at::ScalarType dtype) {
    return at::empty(sizes, at::TensorOptions(c10::Device("meta")).dtype(dtype));
}

at::Tensor meta_tensor(const TensorType& type, std::int64_t free_size) {
    auto shape = type.shape;
    for (auto& size : shape)
        if (size < 0) size = free_size;
    return meta_tensor(shape, to_scalar_type(type.dtype));
}

// A stand-in of the same type on the CPU; a large one is a single zero seen many times.
at::Tensor cpu_tensor(const at::Tensor& meta) {
    if (meta.numel() <= kSmall) return at::zeros(meta.sizes(), meta.scalar_type());
    return at::zeros({1}, meta.scalar_type()).expand(meta.sizes());
}

Status run_on_cpu(const OpList& one, std::vector<c10::IValue>& slots) {
    const auto& call = one.calls.front();
    std::vector<c10::IValue> on_cpu(slots.size());
    auto place = [&](std::uint32_t slot) {
        if (slot == OpCall::kNoSlot) return;
        const auto& value = slots[slot];
        on_cpu[slot] = value.isTensor() ? c10::IValue(cpu_tensor(value.toTensor())) : value;
    };
    for (const auto& argument : call.slot_arguments) place(argument.slot);
    for (const auto& list : call.list_arguments)
        for (auto slot : list.slots) place(slot);
    ESPER_CHECK_STATUS(one.run(on_cpu));
    for (auto slot : call.results) {
        if (!on_cpu[slot].isTensor()) {
            slots[slot] = on_cpu[slot];
            continue;
        }
        const auto& t = on_cpu[slot].toTensor();
        slots[slot] = meta_tensor(t.sizes(), t.scalar_type());
    }
    return {};
}

}  // namespace

Result<std::vector<TensorType>> infer_types(const Program& program, std::int64_t free_size) {
    at::NoGradGuard no_grad;
    std::vector<c10::IValue> slots(program.value_count());
    for (const auto& p : program.parameters())
        slots[p.value.value()] = meta_tensor(p.type, free_size);
    for (const auto& b : program.buffers()) slots[b.value.value()] = meta_tensor(b.type, free_size);
    for (const auto& c : program.controls())
        slots[c.value.value()] = meta_tensor(at::IntArrayRef{}, at::kFloat);
    for (const auto& i : program.inputs()) slots[i.value.value()] = meta_tensor(i.type, free_size);
    for (const auto& instruction : program.instructions()) {
        OpList one;
        one.slot_count = program.value_count();
        ESPER_TRY(OpCall call, lower(instruction, false));
        one.calls.push_back(std::move(call));
        if (one.run(slots)) continue;
        if (auto ran = run_on_cpu(one, slots); !ran)
            return fail(GraphError::kShapeMismatch, ran.error().message());
    }
    std::vector<TensorType> types;
    for (const auto& slot : slots) {
        if (!slot.isTensor()) {
            types.push_back({DType::kInt64, {}});
            continue;
        }
        ESPER_TRY(DType dtype, from_scalar_type(slot.toTensor().scalar_type()));
        types.push_back({dtype, slot.toTensor().sizes().vec()});
    }
    return types;
}

bool is_floating(DType dtype) {
    return dtype == DType::kFloat32 || dtype == DType::kBFloat16 || dtype == DType::kFloat16 ||
           dtype == DType::kFloat64;
}

}  // namespace esper::graph
