#pragma once
// The operators that a Program may use, looked up by name. No other operator may stand in a Program
// that is read, built, looked at or run: see docs/extending.md for adding one.

#include <string>
#include <string_view>
#include <vector>

#include "esper/program/operators/operator_schema.h"
#include "esper/program/operators/rows.h"

namespace esper::graph {

/// One operator of the table, with its schema read.
struct Operator {
    OperatorSchema schema;
    std::string schema_text;
    Effect effect = Effect::kPure;
    CostRule cost = nullptr;
    std::string python;
    Permission permission = Permission::kHosts;
};

/// The operator of that name (`aten::add.Tensor`), or nullptr. Valid for the process's lifetime.
/// Thread-safe.
const Operator* find_in_table(std::string_view op);

/// The same, or kForbiddenOperator with the nearest name of the table.
Result<const Operator*> allowed_operator(std::string_view op);

/// All operators, sorted by name.
std::vector<const Operator*> operators_in_table();

/// Adds an operator from your own code. You must make sure that it uses nothing but its tensors.
/// Thread-safe. Errors: kMalformed for a schema that cannot be read or results that are neither
/// tensors nor sizes, kDuplicateName.
Status register_operator(const OperatorRow& row);

}  // namespace esper::graph
