#include <optional>

#include "esper/engine/operators/operator_library.h"
#include "esper/engine/rewrites/rewrites.h"

namespace esper::graph {

namespace {

/// Gradients of parts of one tensor, each still the size of its part, by index along `dimension`.
struct Parts {
    std::vector<std::int64_t> sizes;
    std::int64_t dimension = 0;
    std::vector<std::uint32_t> slots;  ///< kNoSlot: not seen yet
    std::vector<std::size_t> calls;    ///< the calls that a stack replaces
};

class Finder {
  public:
    Finder(const RecordedList& list)
        : list_(list), reads_(list.count_reads()), made_(list.defining_call()) {}

    /// The parts whose zero-padded gradients are summed by call `root`, if all parts are present.
    std::optional<Parts> parts_of(std::size_t root) const {
        if (operator_name(list_.ops.calls[root].op) != "aten::add.Tensor") return {};
        Parts parts;
        if (!collect(root, parts)) return {};
        for (auto slot : parts.slots)
            if (slot == OpCall::kNoSlot) return {};
        return parts;
    }

  private:
    bool collect(std::size_t index, Parts& parts) const {
        const auto& call = list_.ops.calls[index];
        parts.calls.push_back(index);
        const auto name = operator_name(call.op);
        if (name == "aten::select_backward") return add_part(call, parts);
        if (name != "aten::add.Tensor" || call.slot_arguments.size() != 2) return false;
        if (!call.stack[2].isInt() || call.stack[2].toInt() != 1) return false;
        for (const auto& argument : call.slot_arguments) {
            const auto maker = made_[argument.slot];
            if (maker < 0 || reads_[argument.slot] != 1) return false;
            if (!collect(static_cast<std::size_t>(maker), parts)) return false;
        }
        return true;
    }

    bool add_part(const OpCall& call, Parts& parts) const {
        const auto sizes = call.stack[1].toIntVector();
        const auto dimension = call.stack[2].toInt();
        const auto index = call.stack[3].toInt();
        if (dimension < 0 || dimension >= static_cast<std::int64_t>(sizes.size())) return false;
        if (parts.sizes.empty()) {
            parts.sizes = sizes;
            parts.dimension = dimension;
            parts.slots.assign(static_cast<std::size_t>(sizes[static_cast<std::size_t>(dimension)]),
                               OpCall::kNoSlot);
        }
        if (parts.sizes != sizes || parts.dimension != dimension) return false;
        if (index < 0 || index >= static_cast<std::int64_t>(parts.slots.size())) return false;
        auto& slot = parts.slots[static_cast<std::size_t>(index)];
        if (slot != OpCall::kNoSlot) return false;
        slot = call.slot_arguments[0].slot;
        return true;
    }

    const RecordedList& list_;
    std::vector<std::uint32_t> reads_;
    std::vector<std::int64_t> made_;
};

}  // namespace

void join_selected_gradients(RecordedList& list) {
    auto stack = find_operator("aten::stack");
    if (!stack) return;
    std::vector<bool> dead(list.ops.calls.size(), false);
    const Finder finder(list);
    // From the end, so that the largest sum is found before the sums inside it.
    for (std::size_t i = list.ops.calls.size(); i-- > 0;) {
        if (dead[i]) continue;
        auto parts = finder.parts_of(i);
        if (!parts) continue;
        for (auto call : parts->calls) dead[call] = true;
        dead[i] = false;
        OpCall joined(*stack);
        joined.label = "aten::stack";
        joined.stack = {c10::IValue(), parts->dimension};
        joined.list_arguments.push_back({0, std::move(parts->slots)});
        joined.results = list.ops.calls[i].results;
        list.ops.calls[i] = std::move(joined);
    }
    std::size_t i = 0;
    std::erase_if(list.ops.calls, [&](const OpCall&) { return dead[i++]; });
}

}  // namespace esper::graph
