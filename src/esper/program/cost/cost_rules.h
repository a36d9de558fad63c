#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "esper/program/program.h"

namespace esper::graph {

struct Flops {
    std::uint64_t forward = 0;
    std::uint64_t backward = 0;
    bool operator==(const Flops&) const = default;
};

/// What a cost rule sees of one instruction: types of arguments and results, with free sizes set,
/// its constants, and where gradients flow. Arguments are counted as in the operator's schema.
class CostCall {
  public:
    CostCall(const Instruction& instruction, const std::vector<TensorType>& types,
             const std::vector<bool>& needs_gradient)
        : instruction_(instruction), types_(types), needs_gradient_(needs_gradient) {}

    /// True when argument `i` is a tensor (and not `none`).
    bool has(std::size_t i) const;
    /// Shape and elements of a tensor argument; empty and 0 where there is none.
    const std::vector<std::int64_t>& shape(std::size_t i) const;
    std::uint64_t numel(std::size_t i) const;
    const std::vector<std::int64_t>& out_shape(std::size_t result = 0) const;
    std::uint64_t out_numel(std::size_t result = 0) const;
    /// The shape of each tensor in a list argument.
    std::vector<const std::vector<std::int64_t>*> shapes(std::size_t i) const;
    /// Of the tensors in a list argument, how many need a gradient.
    std::uint64_t gradients_in(std::size_t i) const;
    /// A text argument, or "".
    std::string text(std::size_t i) const;
    /// True when backward must compute a gradient for argument `i`.
    bool needs_gradient(std::size_t i) const;
    std::size_t argument_count() const { return instruction_.args.size(); }
    /// A list of integers, or nothing.
    std::vector<std::int64_t> integers(std::size_t i) const;
    bool flag(std::size_t i) const;

  private:
    const ValueId* value(std::size_t i) const;
    const Instruction& instruction_;
    const std::vector<TensorType>& types_;
    const std::vector<bool>& needs_gradient_;
};

/// Arithmetic of one call. `backward` counts only what gradients that are needed() cost.
using CostRule = Flops (*)(const CostCall&);

/// Ready-made rules, for the table of operators and for those registered from outside.
namespace cost_rules {
/// Moves or renames data: nothing.
Flops free(const CostCall& call);
/// One operation per output element, and one per element on the way back to argument 0.
Flops unary(const CostCall& call);
/// [.., K] × weight [M, K] + bias [M].
Flops linear(const CostCall& call);
}  // namespace cost_rules

}  // namespace esper::graph
