#include "esper/engine/rewrites/matcher.h"

#include <algorithm>

namespace esper::graph {

Matcher::Matcher(RecordedList& list, const RecordedValues& values)
    : list_(list),
      values_(values),
      dead_(list.ops.calls.size(), false),
      readers_(list.ops.slot_count),
      makers_(list.ops.slot_count) {
    std::vector<bool> again(list.ops.slot_count, false);
    for (std::size_t i = 0; i < list.ops.calls.size(); ++i) {
        const auto& call = list.ops.calls[i];
        names_.push_back(operator_name(call.op));
        for (const auto& a : call.slot_arguments) readers_[a.slot].push_back(i);
        for (const auto& l : call.list_arguments)
            for (auto slot : l.slots)
                if (slot != OpCall::kNoSlot) readers_[slot].push_back(i);
        for (auto slot : call.results) {
            if (slot == OpCall::kNoSlot) continue;
            again[slot] = again[slot] || makers_[slot].has_value();
            makers_[slot] = i;
        }
    }
    for (std::size_t slot = 0; slot < again.size(); ++slot)
        if (again[slot]) makers_[slot].reset();
}

Matcher::~Matcher() {
    std::size_t i = 0;
    std::erase_if(list_.ops.calls, [&](const OpCall&) { return dead_[i++]; });
}

std::optional<std::size_t> Matcher::maker(std::uint32_t slot) const {
    if (slot == OpCall::kNoSlot || !makers_[slot] || dead_[*makers_[slot]]) return {};
    return makers_[slot];
}

std::optional<std::size_t> Matcher::maker(std::uint32_t slot, std::string_view name) const {
    auto i = maker(slot);
    return i && is(*i, name) ? i : std::nullopt;
}

std::vector<std::size_t> Matcher::readers(std::uint32_t slot) const {
    std::vector<std::size_t> alive;
    for (auto i : readers_[slot])
        if (!dead_[i] && (alive.empty() || alive.back() != i)) alive.push_back(i);
    return alive;
}

bool Matcher::leaves(std::uint32_t slot) const {
    return std::find(list_.outputs.begin(), list_.outputs.end(), slot) != list_.outputs.end() ||
           std::any_of(list_.gradients.begin(), list_.gradients.end(),
                       [&](const auto& g) { return g.slot == slot; });
}

std::optional<std::size_t> Matcher::only_reader(std::uint32_t slot) const {
    if (leaves(slot)) return {};
    auto all = readers(slot);
    return all.size() == 1 ? std::optional(all[0]) : std::nullopt;
}

std::uint32_t Matcher::argument(std::size_t i, std::uint32_t position) const {
    for (const auto& a : list_.ops.calls[i].slot_arguments)
        if (a.position == position) return a.slot;
    return OpCall::kNoSlot;
}

void Matcher::replace(std::size_t i, OpCall with) {
    for (const auto& a : list_.ops.calls[i].slot_arguments) std::erase(readers_[a.slot], i);
    for (const auto& a : with.slot_arguments) {
        auto& readers = readers_[a.slot];
        readers.insert(std::lower_bound(readers.begin(), readers.end(), i), i);
    }
    for (auto slot : with.results)
        if (slot != OpCall::kNoSlot) makers_[slot] = i;
    names_[i] = operator_name(with.op);
    list_.ops.calls[i] = std::move(with);
    dead_[i] = false;
}

OpCall make_call(std::string_view op, std::vector<CallArgument> arguments,
                 std::vector<std::uint32_t> results) {
    OpCall call(value_or_throw(find_operator(op)));
    call.label = std::string(op);
    for (std::uint32_t i = 0; i < arguments.size(); ++i) {
        call.stack.emplace_back();
        if (arguments[i].slot != OpCall::kNoSlot)
            call.slot_arguments.push_back({i, arguments[i].slot});
        else
            call.stack.back() = std::move(arguments[i].constant);
    }
    call.results = std::move(results);
    return call;
}

}  // namespace esper::graph
