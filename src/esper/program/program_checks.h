#pragma once

#include <vector>

#include "esper/program/program.h"

namespace esper::graph {

/// Positions of the things that have names, of each kind in the order of the names.
struct NameOrders {
    explicit NameOrders(const Program::Parts& parts);
    std::vector<std::uint32_t> inputs, parameters, buffers, controls, outputs, anchors;
};

/// The checks of Program::make, with the orders of the same parts. Returns the origin of each
/// value.
Result<std::vector<Value>> check_structure(const Program::Parts& parts, const NameOrders& orders);

/// `namespace::name` or `namespace::name.overload`, of letters, digits and underscores.
bool is_operator_name(std::string_view op);

/// Valid UTF-8 without control characters.
bool is_printable_utf8(std::string_view text);

/// The same Init, with value 0 if its kind is kZeros.
inline Init normalised(Init init) {
    if (init.kind == Init::Kind::kZeros) init.value = 0;
    return init;
}

}  // namespace esper::graph
