#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <string_view>

#include "esper/program/constant.h"
#include "esper/program/types.h"

namespace torch {
class Library;
}

namespace esper::graph {

/// Parts of register_esper_operators(). Counter-based random numbers (`esper::dropout_mask`,
/// `bernoulli`, `uniform`, `normal`): functions of a site and a step, so that a resumed run draws
/// the same. Arithmetic on sizes (`esper::size_…`, `real_…`): an imported model's free batch.
void define_counter_random(torch::Library& library);
void implement_counter_random(torch::Library& cpu, torch::Library& meta, torch::Library& autograd);
void define_size_operators(torch::Library& library);

/// Registers Esper's own operators (`esper::…`) with the dispatcher; idempotent. Whoever looks an
/// operator up through find_operator() gets them registered first.
void register_esper_operators();

/// The dispatcher's handle for `namespace::name` or `namespace::name.overload`; looked up once per
/// name and kept. Thread-safe. Errors: kUnknownOperator, with the nearest known name.
Result<c10::OperatorHandle> find_operator(std::string_view op);

/// The handle of an operator of a Program: it must be in the table of operators, and the installed
/// libtorch must have the schema that stands there. Kept like those above. Errors:
/// kForbiddenOperator, kUnknownOperator.
Result<c10::OperatorHandle> find_program_operator(std::string_view op);

/// The schema's default for one argument, as libtorch has it. Errors: kBadArguments.
Result<Argument> default_argument(const c10::FunctionSchema& schema, std::size_t index);

/// True for an operator that returns one list of tensors (`split`, `unbind`): as many results as it
/// has items.
bool returns_list(const c10::FunctionSchema& schema);

/// `namespace::name[.overload]` of a handle.
std::string operator_name(const c10::OperatorHandle& handle);

}  // namespace esper::graph
