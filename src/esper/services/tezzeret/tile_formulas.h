#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "esper/engine/op_list.h"

namespace esper::tezzeret {

/// How an elementwise operator is written in a kernel.
struct FormulaRule {
    std::string_view op;
    std::uint32_t arguments;  ///< the first ones are values
    /// C++ with $0, $1, … for the arguments; nothing where the call has settings that no rule
    /// covers.
    std::optional<std::string> (*text)(const graph::OpCall& call);
};

/// The rule of an operator, or null.
const FormulaRule* find_formula(std::string_view op);

/// Operators that give the same elements in the same order, or in another type.
bool is_view(std::string_view op);

}  // namespace esper::tezzeret
