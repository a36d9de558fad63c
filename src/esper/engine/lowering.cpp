#include "esper/engine/lowering.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <c10/util/strides.h>

#include "esper/engine/operators/operator_library.h"
#include "esper/engine/torch_compat.h"

namespace esper::graph {

namespace {

OpCall::ListArgument::Elements elements_of(const c10::Type& type) {
    using Elements = OpCall::ListArgument::Elements;
    if (type.kind() == c10::TypeKind::OptionalType)
        return elements_of(*type.expectRef<c10::OptionalType>().getElementType());
    switch (type.expectRef<c10::ListType>().getElementType()->kind()) {
        case c10::TypeKind::OptionalType:
            return Elements::kOptionalTensors;
        case c10::TypeKind::IntType:
        case c10::TypeKind::SymIntType:
            return Elements::kIntegers;
        default:
            return Elements::kTensors;
    }
}

// libtorch 2.13 writes the gradient of a channels-last group norm's input through a null pointer
// where nobody wants it, as at a seed in isolation. (A joint Program asks for it instead.)
void make_plain_where_no_gradient_is_wanted(torch::jit::Stack& stack) {
    if (c10::impl::tls_is_dispatch_key_included(c10::DispatchKey::Fake)) return;
    const auto& x = stack[0].toTensor();
    if (!c10::GradMode::is_enabled() || x.requires_grad() ||
        x.suggest_memory_format() == at::MemoryFormat::Contiguous)
        return;
    // What is one pixel or one channel large is contiguous in both layouts.
    stack[0] = x.contiguous().as_strided(x.sizes(), c10::contiguous_strides(x.sizes()));
}

}  // namespace

Result<OpCall> lower(const Instruction& instruction, bool training) {
    ESPER_TRY(auto handle, find_program_operator(instruction.op));
    OpCall call(handle);
    call.label =
        instruction.scope.empty() ? instruction.op : instruction.op + " in " + instruction.scope;
    const auto& arguments = handle.schema().arguments();
    for (std::uint32_t i = 0; i < instruction.args.size(); ++i) {
        const auto& argument = instruction.args[i];
        call.stack.emplace_back();
        if (const auto* id = std::get_if<ValueId>(&argument)) {
            call.slot_arguments.push_back({i, id->value()});
        } else if (const auto* list = std::get_if<ValueList>(&argument)) {
            OpCall::ListArgument lowered{i, {}, elements_of(*arguments[i].type())};
            for (const auto& item : *list)
                lowered.slots.push_back(item ? item->value() : OpCall::kNoSlot);
            call.list_arguments.push_back(std::move(lowered));
        } else {
            call.stack.back() = to_ivalue(std::get<Constant>(argument), training);
        }
    }
    if (instruction.op == "aten::group_norm") call.before = &make_plain_where_no_gradient_is_wanted;
    call.unpacks_list = returns_list(handle.schema());
    for (auto result : instruction.results) call.results.push_back(result.value());
    return call;
}

}  // namespace esper::graph
