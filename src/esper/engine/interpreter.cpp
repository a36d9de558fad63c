#include "esper/engine/interpreter.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "esper/engine/lowering.h"
#include "esper/engine/seed_kernels.h"
#include "esper/engine/tensor_store.h"
#include "esper/engine/torch_compat.h"

namespace esper::graph {

struct Interpreter::Impl {
    ProgramPtr program;
    OpList ops;
    std::vector<bool> keep_outputs;
};

namespace {

Status check_input(const Input& input, const at::Tensor& tensor) {
    const auto& shape = input.type.shape;
    bool ok = tensor.defined() && tensor.dim() == static_cast<std::int64_t>(shape.size()) &&
              tensor.scalar_type() == to_scalar_type(input.type.dtype);
    for (std::size_t i = 0; ok && i < shape.size(); ++i)
        ok = shape[i] < 0 || tensor.size(static_cast<std::int64_t>(i)) == shape[i];
    if (ok) return {};
    return fail(
        GraphError::kShapeMismatch,
        fmt::format("input '{}' must be {}, got {}", input.name, to_string(input.type),
                    tensor.defined() ? fmt::format("{} [{}]", c10::toString(tensor.scalar_type()),
                                                   fmt::join(tensor.sizes(), ", "))
                                     : "nothing"));
}

}  // namespace

Interpreter::Interpreter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Interpreter::~Interpreter() = default;
Interpreter::Interpreter(Interpreter&&) noexcept = default;
Interpreter& Interpreter::operator=(Interpreter&&) noexcept = default;
const Program& Interpreter::program() const { return *impl_->program; }

Result<Interpreter> Interpreter::make(ProgramPtr program, bool training,
                                      const std::vector<KernelRegion>* kernels) {
    auto impl = std::make_unique<Impl>();
    impl->program = std::move(program);
    const auto& p = *impl->program;
    impl->ops.slot_count = p.value_count();
    std::size_t next = 0;
    for (std::size_t i = 0; i < p.instructions().size();) {
        if (kernels != nullptr && next < kernels->size() && (*kernels)[next].begin == i) {
            impl->ops.calls.push_back((*kernels)[next].call);
            i = (*kernels)[next++].end;
            continue;
        }
        ESPER_TRY(OpCall call, lower(p.instructions()[i++], training));
        impl->ops.calls.push_back(std::move(call));
    }
    impl->keep_outputs.assign(p.value_count(), false);
    for (const auto& o : p.outputs()) impl->keep_outputs[o.value.value()] = true;
    impl->ops.plan_frees(impl->keep_outputs);
    return Interpreter(std::move(impl));
}

Result<Interpreter::Bindings> Interpreter::bind(const Program& program, const TensorStore& store,
                                                std::span<const at::Tensor> inputs) {
    Bindings b;
    for (const auto& p : program.parameters()) {
        ESPER_TRY(at::Tensor t, store.find(p.name));
        b.parameters.push_back(std::move(t));
    }
    for (const auto& f : program.buffers()) {
        ESPER_TRY(at::Tensor t, store.find(f.name));
        b.buffers.push_back(std::move(t));
    }
    for (const auto& c : program.controls()) {
        ESPER_TRY(at::Tensor t, store.find(c.name));
        b.controls.push_back(std::move(t));
    }
    b.inputs.assign(inputs.begin(), inputs.end());
    return b;
}

Result<std::vector<at::Tensor>> Interpreter::run(const TensorStore& store,
                                                 std::span<const at::Tensor> inputs,
                                                 std::span<const ValueId> taps) const {
    ESPER_TRY(auto bindings, bind(*impl_->program, store, inputs));
    return run(bindings, taps);
}

Result<std::vector<at::Tensor>> Interpreter::run(const Bindings& bindings,
                                                 std::span<const ValueId> taps) const {
    const auto& p = *impl_->program;
    if (bindings.inputs.size() != p.inputs().size())
        return fail(GraphError::kShapeMismatch,
                    fmt::format("'{}' takes {} inputs, got {}", p.name(), p.inputs().size(),
                                bindings.inputs.size()));
    std::vector<c10::IValue> slots(p.value_count());
    auto place = [&](auto declared, const std::vector<at::Tensor>& tensors) {
        for (std::size_t i = 0; i < declared.size(); ++i)
            slots[declared[i].value.value()] = tensors[i];
    };
    for (std::size_t i = 0; i < p.inputs().size(); ++i)
        ESPER_CHECK_STATUS(check_input(p.inputs()[i], bindings.inputs[i]));
    place(p.inputs(), bindings.inputs);
    place(p.parameters(), bindings.parameters);
    place(p.buffers(), bindings.buffers);
    place(p.controls(), bindings.controls);
    if (taps.empty()) {
        ESPER_CHECK_STATUS(impl_->ops.run(slots));
    } else {
        auto tapped = impl_->ops;
        auto keep = impl_->keep_outputs;
        for (auto id : taps) keep[id.value()] = true;
        tapped.plan_frees(keep);
        ESPER_CHECK_STATUS(tapped.run(slots));
    }
    std::vector<at::Tensor> outputs;
    for (const auto& o : p.outputs()) outputs.push_back(slots[o.value.value()].toTensor());
    for (auto id : taps) outputs.push_back(slots[id.value()].toTensor());
    return outputs;
}

}  // namespace esper::graph
