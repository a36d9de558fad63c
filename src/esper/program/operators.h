#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "esper/program/program.h"

namespace esper::graph {

/// Checks every instruction against the operator schemas of the installed libtorch: the operator
/// exists, arguments fit in number and kind, and the number of results is right.
/// Errors: kUnknownOperator (with the nearest name), kBadArguments.
Status validate_operators(const Program& program);

/// Checks that a blueprint uses allowed operators only (pure tensor functions; no file, no RPC, no
/// in-place writes, no data-dependent shapes). Errors: kForbiddenOperator.
Status validate_blueprint_operators(const Program& program);

/// Appends the schema's defaults to `args` until every argument is there.
/// Errors: kUnknownOperator, kBadArguments.
Status fill_defaults(std::string_view op, std::vector<Argument>& args);

/// The schema's default for one argument. Errors: kUnknownOperator, kBadArguments.
Result<Argument> default_argument(std::string_view op, std::size_t index);

/// Number of results an operator returns. Errors: kUnknownOperator.
Result<int> result_count(std::string_view op);

}  // namespace esper::graph
