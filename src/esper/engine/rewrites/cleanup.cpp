#include <algorithm>
#include <array>
#include <string_view>

#include "esper/engine/operators/operator_library.h"
#include "esper/engine/rewrites/rewrites.h"

namespace esper::graph {

std::vector<std::uint32_t> RecordedList::count_reads() const {
    std::vector<std::uint32_t> reads(ops.slot_count, 0);
    for (const auto& call : ops.calls) {
        for (const auto& argument : call.slot_arguments) ++reads[argument.slot];
        for (const auto& list : call.list_arguments)
            for (auto slot : list.slots)
                if (slot != OpCall::kNoSlot) ++reads[slot];
    }
    for (auto slot : outputs) ++reads[slot];
    for (const auto& g : gradients) ++reads[g.slot];
    return reads;
}

std::vector<std::int64_t> RecordedList::defining_call() const {
    std::vector<std::int64_t> made(ops.slot_count, -1);
    for (std::size_t i = 0; i < ops.calls.size(); ++i)
        for (auto slot : ops.calls[i].results)
            if (slot != OpCall::kNoSlot && made[slot] < 0)
                made[slot] = static_cast<std::int64_t>(i);
    return made;
}

namespace {

// These operators write to running statistics although their schemas do not declare that.
constexpr std::array<std::string_view, 3> kHiddenWrites = {
    "aten::native_batch_norm", "aten::_native_batch_norm_legit", "aten::cudnn_batch_norm"};

bool writes(const OpCall& call) {
    if (call.op.schema().is_mutable()) return true;
    return std::find(kHiddenWrites.begin(), kHiddenWrites.end(), call.op.operator_name().name) !=
           kHiddenWrites.end();
}

}  // namespace

void remove_dead_calls(RecordedList& list) {
    auto reads = list.count_reads();
    std::vector<bool> dead(list.ops.calls.size(), false);
    for (std::size_t i = list.ops.calls.size(); i-- > 0;) {
        const auto& call = list.ops.calls[i];
        if (writes(call)) continue;
        const bool read = std::any_of(call.results.begin(), call.results.end(), [&](auto slot) {
            return slot != OpCall::kNoSlot && reads[slot] > 0;
        });
        if (read) continue;
        dead[i] = true;
        for (const auto& argument : call.slot_arguments) --reads[argument.slot];
        for (const auto& l : call.list_arguments)
            for (auto slot : l.slots)
                if (slot != OpCall::kNoSlot) --reads[slot];
    }
    std::size_t i = 0;
    std::erase_if(list.ops.calls, [&](const OpCall&) { return dead[i++]; });
}

bool makes_constant(const c10::OperatorHandle& op) {
    constexpr std::array<std::string_view, 5> kConstant = {
        "aten::ones_like", "aten::zeros_like", "aten::scalar_tensor", "aten::ones", "aten::zeros"};
    return std::find(kConstant.begin(), kConstant.end(), op.operator_name().name) !=
           kConstant.end();
}

void fold_constants(RecordedList& list,
                    const std::map<std::uint32_t, at::Tensor>& recorded_values) {
    std::vector<bool> written(list.ops.slot_count, false);
    for (const auto& call : list.ops.calls) {
        const auto& arguments = call.op.schema().arguments();
        for (const auto& a : call.slot_arguments)
            if (arguments[a.position].alias_info() != nullptr) written[a.slot] = true;
    }
    std::erase_if(list.ops.calls, [&](const OpCall& call) {
        if (!makes_constant(call.op)) return false;
        const auto slot = call.results[0];
        auto value = recorded_values.find(slot);
        if (slot == OpCall::kNoSlot || written[slot] || value == recorded_values.end())
            return false;
        list.persistent.emplace(slot, value->second);
        return true;
    });
}

void drop_repeated_views(RecordedList& list) {
    std::vector<bool> there(list.ops.slot_count, false);
    for (const auto& [slot, tensor] : list.persistent) there[slot] = true;
    for (auto slot : list.inputs) there[slot] = true;
    std::erase_if(list.ops.calls, [&](const OpCall& call) {
        bool repeated = !writes(call) && !call.results.empty();
        for (auto slot : call.results)
            repeated = repeated && slot != OpCall::kNoSlot && there[slot];
        for (auto slot : call.results)
            if (slot != OpCall::kNoSlot) there[slot] = true;
        return repeated;
    });
}

}  // namespace esper::graph
