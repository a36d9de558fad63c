#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "esper/program/types.h"

namespace esper::graph {

/// One call of an OpList: a resolved handle, a template of its stack and where tensors go in it.
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
    std::vector<c10::IValue> stack;  ///< constants in place, None where a slot goes
    std::vector<SlotArgument> slot_arguments;
    std::vector<ListArgument> list_arguments;
    std::vector<std::uint32_t> results;  ///< kNoSlot: nobody reads it
    bool unpacks_list = false;           ///< the results are the items of the list it returns
    std::vector<std::uint32_t> frees;    ///< slots whose last use is a list of this call
    /// Looks at the stack once more before the call, where libtorch needs care.
    void (*before)(torch::jit::Stack& stack) = nullptr;
    std::string label;  ///< for error messages: operator and scope
};

/// Operator calls over integer slots: what both the interpreter of a Program and a joint Program
/// run. Slots are filled from outside (inputs, parameters) or by earlier calls; a slot that is not
/// kept is freed at its last use, as early as eager code would.
class OpList {
  public:
    std::vector<OpCall> calls;
    std::uint32_t slot_count = 0;

    /// Marks last uses. Slots in `keep` are never freed.
    void plan_frees(const std::vector<bool>& keep);

    /// Runs every call over `slots` (size slot_count). An operator that throws becomes kExecution,
    /// with its label; freed slots stay freed, so refill them before another run.
    Status run(std::vector<c10::IValue>& slots) const;

    /// The same, calling `before(i)` ahead of call i and `before(calls.size())` at the end.
    Status run_watched(std::vector<c10::IValue>& slots,
                       const std::function<void(std::size_t)>& before) const;
};

}  // namespace esper::graph
