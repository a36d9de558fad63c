#include "esper/graph/lowering.h"

#include "esper/graph/operator_library.h"
#include "esper/graph/torch_compat.h"

namespace esper::graph {

Result<OpCall> lower(const Instruction& instruction, bool training) {
    ESPER_TRY(auto handle, find_operator(instruction.op));
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
            OpCall::ListArgument lowered{i, {}, false};
            auto element = arguments[i].type()->expectRef<c10::ListType>().getElementType();
            lowered.optional_elements = element->kind() == c10::TypeKind::OptionalType;
            for (const auto& item : *list)
                lowered.slots.push_back(item ? item->value() : OpCall::kNoSlot);
            call.list_arguments.push_back(std::move(lowered));
        } else {
            call.stack.back() = to_ivalue(std::get<Constant>(argument), training);
        }
    }
    for (auto result : instruction.results) call.results.push_back(result.value());
    return call;
}

}  // namespace esper::graph
