#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "esper/engine/operators/operator_library.h"
#include "esper/engine/rewrites/rewrites.h"

namespace esper::graph {

/// Helps a rewrite: says which calls make and read a slot and which tensor it held, and replaces or
/// removes calls. Removed calls stay in the list as empty calls until finish().
class Matcher {
  public:
    Matcher(RecordedList& list, const RecordedValues& values);
    ~Matcher();
    Matcher(const Matcher&) = delete;
    Matcher& operator=(const Matcher&) = delete;

    std::size_t size() const { return list_.ops.calls.size(); }
    OpCall& call(std::size_t i) { return list_.ops.calls[i]; }
    const std::vector<std::uint32_t>& call_results(std::size_t i) const {
        return list_.ops.calls[i].results;
    }
    bool is(std::size_t i, std::string_view name) const { return !dead_[i] && names_[i] == name; }

    /// The call that makes a slot; nothing for inputs, persistent slots and slots made twice.
    std::optional<std::size_t> maker(std::uint32_t slot) const;
    std::optional<std::size_t> maker(std::uint32_t slot, std::string_view name) const;
    /// Calls that read a slot, in order.
    std::vector<std::size_t> readers(std::uint32_t slot) const;
    /// The only call that reads a slot; nothing if several do, or if it is an output or gradient.
    std::optional<std::size_t> only_reader(std::uint32_t slot) const;
    /// Whether a slot is an output or gradient of the list.
    bool leaves(std::uint32_t slot) const;
    /// The slot at an argument position; kNoSlot for constants.
    std::uint32_t argument(std::size_t i, std::uint32_t position) const;
    const c10::IValue& constant(std::size_t i, std::uint32_t position) const {
        return list_.ops.calls[i].stack[position];
    }
    const at::Tensor& value(std::uint32_t slot) const { return values_.at(slot); }
    bool has_value(std::uint32_t slot) const { return values_.count(slot) > 0; }

    void remove(std::size_t i) { dead_[i] = true; }
    /// Replaces call i.
    void replace(std::size_t i, OpCall with);

  private:
    RecordedList& list_;
    const RecordedValues& values_;
    std::vector<bool> dead_;
    std::vector<std::string> names_;
    std::vector<std::vector<std::size_t>> readers_;
    std::vector<std::optional<std::size_t>> makers_;
};

/// An argument for make_call: a slot or a constant.
struct CallArgument {
    CallArgument(std::uint32_t slot_number) : slot(slot_number) {}
    CallArgument(c10::IValue value) : constant(std::move(value)) {}
    CallArgument(const at::Tensor& value) : constant(value) {}
    CallArgument(bool value) : constant(value) {}
    CallArgument(double value) : constant(value) {}

    std::uint32_t slot = OpCall::kNoSlot;
    c10::IValue constant;
};

/// Makes a call of the existing operator `op` with its arguments in order; kNoSlot becomes None.
OpCall make_call(std::string_view op, std::vector<CallArgument> arguments,
                 std::vector<std::uint32_t> results);

}  // namespace esper::graph
