#pragma once
// The table of the operators that a Program may use, one row each, in one file per kind.

#include <cstdint>
#include <span>
#include <string_view>

#include "esper/program/cost/cost_rules.h"

namespace esper::graph {

/// The effects of a call besides its results.
enum class Effect : std::uint8_t {
    kPure = 0,
    kSharesFirst = 1,  ///< results may share the first argument's memory (views, `contiguous`)
    kWritesFirst = 2,  ///< writes into the first argument and returns it (`relu_`)
    kDraws = 4,        ///< draws from libtorch's random generator
    /// Draws when the fifth argument, the share that is dropped, is not 0.
    kDrawsIfDropping = 8,
    /// (input, weight, bias, running_mean, running_var, training, …): writes arguments 3 and 4 in
    /// training.
    kKeepsStatistics = 16,
};
constexpr Effect operator|(Effect a, Effect b) {
    return static_cast<Effect>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}
constexpr bool has(Effect all, Effect one) {
    return (static_cast<std::uint8_t>(all) & static_cast<std::uint8_t>(one)) != 0;
}

/// Where the operator may stand. Blueprints take pure functions of tensors whose result's shape
/// follows from the shapes of the arguments.
enum class Permission : std::uint8_t { kHosts, kBlueprints };

/// Written as `torch.ops.aten.name.overload(…)` in Python.
inline constexpr std::string_view kBySchema = "torch.ops";

/// One operator.
struct OperatorRow {
    /// The text that libtorch prints for the schema, name first.
    std::string_view schema;
    Effect effect;
    CostRule cost;
    /// How a call stands in exported Python code: `F.gelu({0}, approximate={1|"none"})`. {i} is
    /// argument i; {i|text} is left out, keyword and all, where the argument's text is `text`;
    /// {i!text} writes nothing, and the call is written by its schema where the argument is not
    /// `text`. Or kBySchema.
    std::string_view python;
    Permission permission;
};

std::span<const OperatorRow> comparisons_rows();
std::span<const OperatorRow> contractions_rows();
std::span<const OperatorRow> elementwise_rows();
std::span<const OperatorRow> factories_rows();
std::span<const OperatorRow> indexing_rows();
std::span<const OperatorRow> movement_rows();
std::span<const OperatorRow> norms_rows();
std::span<const OperatorRow> own_rows();
std::span<const OperatorRow> pairs_rows();
std::span<const OperatorRow> reductions_rows();

}  // namespace esper::graph
