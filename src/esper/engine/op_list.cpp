#include "esper/engine/op_list.h"

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <exception>

#include "esper/base/first_line.h"

namespace esper::graph {

void OpList::plan_frees(const std::vector<bool>& keep) {
    std::vector<bool> seen(slot_count, false);
    for (auto call = calls.rbegin(); call != calls.rend(); ++call) {
        call->frees.clear();
        for (const auto slot : call->results)
            if (slot != OpCall::kNoSlot) seen[slot] = seen[slot] || keep[slot];
        auto free_now = [&](std::uint32_t slot) {
            const bool last = !seen[slot] && !keep[slot];
            seen[slot] = true;
            return last;
        };
        for (auto list = call->list_arguments.rbegin(); list != call->list_arguments.rend(); ++list)
            for (const auto slot : list->slots)
                if (slot != OpCall::kNoSlot && free_now(slot)) call->frees.push_back(slot);
        // Arguments are pushed front to back; the moving one must be the last push of its slot.
        for (auto arg = call->slot_arguments.rbegin(); arg != call->slot_arguments.rend(); ++arg)
            arg->last_use = free_now(arg->slot);
    }
    // A result that is never read is freed at once.
    for (auto& call : calls)
        for (auto& slot : call.results)
            if (slot != OpCall::kNoSlot && !seen[slot] && !keep[slot]) slot = OpCall::kNoSlot;
}

namespace {

c10::IValue make_list(const OpCall::ListArgument& argument, const std::vector<c10::IValue>& slots) {
    using Elements = OpCall::ListArgument::Elements;
    if (argument.elements == Elements::kIntegers) {
        c10::List<std::int64_t> list;
        list.reserve(argument.slots.size());
        for (auto slot : argument.slots) list.push_back(slots[slot].toInt());
        return list;
    }
    if (argument.elements == Elements::kOptionalTensors) {
        c10::List<std::optional<at::Tensor>> list;
        list.reserve(argument.slots.size());
        for (auto slot : argument.slots)
            list.push_back(slot == OpCall::kNoSlot ? std::optional<at::Tensor>{}
                                                   : slots[slot].toTensor());
        return list;
    }
    c10::List<at::Tensor> list;
    list.reserve(argument.slots.size());
    for (auto slot : argument.slots) list.push_back(slots[slot].toTensor());
    return list;
}

void unpack(const c10::List<at::Tensor>& items, const std::vector<std::uint32_t>& results,
            std::vector<c10::IValue>& slots) {
    TORCH_CHECK(items.size() == results.size(), "expected a list of ", results.size(), ", got ",
                items.size());
    for (std::size_t i = 0; i < results.size(); ++i)
        if (results[i] != OpCall::kNoSlot) slots[results[i]] = items.get(i);
}

void run_call(const OpCall& call, std::vector<c10::IValue>& slots, torch::jit::Stack& stack) {
    stack.clear();
    auto next = call.slot_arguments.begin();
    const auto end = call.slot_arguments.end();
    for (std::uint32_t i = 0; i < call.stack.size(); ++i) {
        if (next != end && next->position == i) {
            if (next->last_use)
                stack.push_back(std::move(slots[next->slot]));
            else
                stack.push_back(slots[next->slot]);
            ++next;
        } else {
            stack.push_back(call.stack[i]);
        }
    }
    for (const auto& list : call.list_arguments) stack[list.position] = make_list(list, slots);
    for (auto slot : call.frees) slots[slot] = c10::IValue();
    if (call.before != nullptr) call.before(stack);
    call.op.callBoxed(stack);
    if (call.unpacks_list) {
        unpack(stack.front().toTensorList(), call.results, slots);
        return;
    }
    for (std::size_t i = 0; i < call.results.size(); ++i)
        if (call.results[i] != OpCall::kNoSlot) slots[call.results[i]] = std::move(stack[i]);
}

}  // namespace

namespace {

template <typename Before>
Status run_all(const std::vector<OpCall>& calls, std::vector<c10::IValue>& slots,
               const Before& before) {
    torch::jit::Stack stack;
    stack.reserve(24);
    std::size_t i = 0;
    try {
        for (; i < calls.size(); ++i) {
            before(i);
            run_call(calls[i], slots, stack);
        }
    } catch (const c10::Error& e) {
        return fail(GraphError::kExecution, calls[i].label + ": " + e.what_without_backtrace());
    } catch (const std::exception& e) {
        return fail(GraphError::kExecution, calls[i].label + ": " + first_line(e.what()));
    }
    return {};
}

}  // namespace

Status OpList::run(std::vector<c10::IValue>& slots) const {
    return run_all(calls, slots, [](std::size_t) {});
}

Status OpList::run_watched(std::vector<c10::IValue>& slots,
                           const std::function<void(std::size_t)>& before) const {
    ESPER_CHECK_STATUS(run_all(calls, slots, before));
    before(calls.size());
    return {};
}

}  // namespace esper::graph
