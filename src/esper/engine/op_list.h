#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "esper/program/types.h"

namespace esper::graph {

/// One call of an OpList: an operator, a template of its stack, and the places of tensors in it.
struct OpCall {
    static constexpr std::uint32_t kNoSlot = UINT32_MAX;
    struct SlotArgument {
        std::uint32_t position;
        std::uint32_t slot;
        bool last_use = false;
    };
    struct ListArgument {
        std::uint32_t position;
        std::vector<std::uint32_t> slots;  ///< kNoSlot: absent
        enum class Elements : std::uint8_t { kTensors, kOptionalTensors, kIntegers };
        Elements elements = Elements::kTensors;
    };

    explicit OpCall(c10::OperatorHandle handle) : op(std::move(handle)) {}

    c10::OperatorHandle op;
    std::vector<c10::IValue> stack;  ///< the constants, and None in the places of slots
    std::vector<SlotArgument> slot_arguments;
    std::vector<ListArgument> list_arguments;
    std::vector<std::uint32_t> results;  ///< kNoSlot: the result is never read
    bool unpacks_list = false;           ///< the operator returns a list; its items are the results
    std::vector<std::uint32_t> frees;    ///< slots whose last use is in a list argument here
    /// Corrects the stack before the call, for operators that need it.
    void (*before)(torch::jit::Stack& stack) = nullptr;
    std::string label;  ///< for error messages: operator and scope
};

/// A list of operator calls over integer slots; Interpreter and JointProgram run such lists. A slot
/// is filled by the caller (inputs, parameters) or by an earlier call. A slot that is not kept is
/// freed at its last use, as early as in eager code.
class OpList {
  public:
    std::vector<OpCall> calls;
    std::uint32_t slot_count = 0;

    /// Marks the last use of each slot. Slots in `keep` are never freed.
    void plan_frees(const std::vector<bool>& keep);

    /// Runs every call over `slots` (slot_count elements). Freed slots are empty afterwards; fill
    /// them before another run. Error: kExecution, with the label of an operator that threw.
    Status run(std::vector<c10::IValue>& slots) const;

    /// The same, and calls `before(i)` before call i and `before(calls.size())` at the end.
    Status run_watched(std::vector<c10::IValue>& slots,
                       const std::function<void(std::size_t)>& before) const;
};

}  // namespace esper::graph
