#pragma once

#include <vector>

#include "esper/program/program.h"

namespace esper::graph {

/// The checks of Program::make. Returns the origin of each value.
Result<std::vector<Value>> check_structure(const Program::Parts& parts);

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
