#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <string_view>

#include "esper/graph/types.h"

namespace esper::graph {

/// Registers Esper's own operators (`esper::…`) with the dispatcher; idempotent. Whoever looks an
/// operator up through find_operator() gets them registered first.
void register_esper_operators();

/// The dispatcher's handle for `namespace::name` or `namespace::name.overload`; looked up once per
/// name and kept. Thread-safe. Errors: kUnknownOperator, with the nearest known name.
Result<c10::OperatorHandle> find_operator(std::string_view op);

/// `namespace::name[.overload]` of a handle.
std::string operator_name(const c10::OperatorHandle& handle);

}  // namespace esper::graph
