#pragma once

#include <string_view>
#include <vector>

#include "esper/program/program.h"

namespace esper::graph {

/// Checks every instruction against the table of operators (operators/operator_table.h): the
/// operator is in it, arguments fit its schema in number and kind, and the number of results is
/// right. Errors: kForbiddenOperator (with the nearest name), kBadArguments.
Status validate_operators(const Program& program);

/// Checks that a blueprint uses operators only that the table permits in blueprints (pure tensor
/// functions; no in-place writes, no data-dependent shapes). Errors: kForbiddenOperator.
Status validate_blueprint_operators(const Program& program);

/// Appends the schema's defaults to `args` until every argument is there.
/// Errors: kForbiddenOperator, kBadArguments.
Status fill_defaults(std::string_view op, std::vector<Argument>& args);

}  // namespace esper::graph
