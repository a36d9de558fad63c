#include "esper/engine/operators/operator_library.h"
#include "esper/engine/rewrites/rewrites.h"

namespace esper::graph {

namespace {

// Operators with an `out` form, which writes its result into a given tensor.
const std::map<std::string, const char*, std::less<>>& out_variants() {
    static const std::map<std::string, const char*, std::less<>> table = {
        {"aten::mm", "aten::mm.out"},
        {"aten::sum.dim_IntList", "aten::sum.IntList_out"},
        {"aten::add.Tensor", "aten::add.out"},
        {"aten::embedding_dense_backward", "aten::embedding_dense_backward.out"},
    };
    return table;
}

bool is_cast_to_float(const OpCall& call) {
    if (operator_name(call.op) != "aten::_to_copy") return false;
    const auto& dtype = call.stack[1];
    return dtype.isInt() && dtype.toInt() == static_cast<std::int64_t>(at::kFloat);
}

}  // namespace

void write_gradients_in_place(RecordedList& list) {
    auto reads = list.count_reads();
    auto made = list.defining_call();
    std::vector<bool> dead(list.ops.calls.size(), false);
    std::vector<RecordedList::GradientWrite> left;
    for (auto write : list.gradients) {
        const auto maker = made[write.slot];
        if (maker < 0 || reads[write.slot] != 1) {
            left.push_back(write);
            continue;
        }
        auto& call = list.ops.calls[static_cast<std::size_t>(maker)];
        if (is_cast_to_float(call)) {
            write.slot = call.slot_arguments[0].slot;
            dead[static_cast<std::size_t>(maker)] = true;
            left.push_back(write);
            continue;
        }
        auto variant = out_variants().find(operator_name(call.op));
        if (variant == out_variants().end() || !write.target.is_contiguous()) {
            left.push_back(write);
            continue;
        }
        auto handle = find_operator(variant->second);
        if (!handle) {
            left.push_back(write);
            continue;
        }
        // The out form has the same arguments and then `out`; the target's memory never moves.
        call.op = *handle;
        call.stack.emplace_back(write.target);
        call.results.assign(1, OpCall::kNoSlot);
    }
    list.gradients = std::move(left);
    std::size_t i = 0;
    std::erase_if(list.ops.calls, [&](const OpCall&) { return dead[i++]; });
}

}  // namespace esper::graph
